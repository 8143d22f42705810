namespace ServiceMesh.Conformance;

/// <summary>
/// Collects the error reports of some nodes. A node files its reports one after the other, so a failure that is made on
/// purpose ends the search for those that should not be there; those that should are waited for, since on the way one
/// may overtake another.
/// </summary>
internal sealed class Reports
{
    private static readonly RequestTopic<string, string> s_fence = new("conformance.fence");

    private readonly List<ErrorReport> _all = [];
    private readonly Func<Task<IReadOnlyList<ErrorReport>>> _take;

    private Reports(Func<Task<IReadOnlyList<ErrorReport>>> take) => _take = take;

    /// <summary>Hears what is published, on a node of its own.</summary>
    public static async Task<Reports> OfPublishedAsync(MeshNode observer, bool ordered)
    {
        var inbox = new Inbox<ErrorReport>();
        await observer.Bus.SubscribeAsync(MeshTopics.Errors, inbox.ReceiveAsync, new() { Ordered = ordered });
        return new(async () => [await inbox.NextAsync()]);
    }

    /// <summary>Drains the queues of nodes, which may be one and the same.</summary>
    public static Reports OfQueues(params MeshNode[] nodes) => new(async () =>
    {
        var taken = new List<ErrorReport>();
        foreach (var node in nodes)
        {
            taken.AddRange(await node.ErrorQueue.DrainAsync(1000));
        }

        return taken;
    });

    /// <summary>All reports that these nodes have made until now: so many as are expected, or more.</summary>
    public async Task<ErrorReport[]> ExpectAsync(int expected, params MeshNode[] nodes)
    {
        foreach (var node in nodes)
        {
            await node.Bus.TryRequestAsync(s_fence, "");
        }

        await Failsafe.UntilAsync(async () =>
        {
            _all.AddRange(await _take());
            return _all.Count(report => !IsFence(report)) >= expected
                && nodes.All(node => _all.Exists(report => IsFence(report) && report.Node == node.Id));
        });
        return [.. _all.Where(report => !IsFence(report))];
    }

    private static bool IsFence(ErrorReport report) => report.Topic == s_fence.Topic.ToString();
}
