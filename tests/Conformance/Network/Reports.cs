namespace ServiceMesh.Conformance;

/// <summary>
/// Collects the error reports of some nodes. A node files its reports one after the other, so the test causes one more failure
/// on purpose, the fence: no unexpected report can follow the report of the fence. Expected reports are waited for, because one
/// report may overtake another on the way.
/// </summary>
internal sealed class Reports
{
    private static readonly RequestTopic<string, string> s_fence = new("conformance.fence");

    private readonly List<ErrorReport> _all = [];
    private readonly Func<Task<IReadOnlyList<ErrorReport>>> _take;

    private Reports(Func<Task<IReadOnlyList<ErrorReport>>> take) => _take = take;

    /// <summary>Collects the published reports, on a separate node.</summary>
    public static async Task<Reports> OfPublishedAsync(MeshNode observer, bool ordered)
    {
        var inbox = new Inbox<ErrorReport>();
        await observer.Bus.SubscribeAsync(MeshTopics.Errors, inbox.ReceiveAsync, new() { Ordered = ordered });
        return new(async () => [await inbox.NextAsync()]);
    }

    /// <summary>Drains the queues of the nodes; several nodes may share one queue.</summary>
    public static Reports OfQueues(params MeshNode[] nodes) => new(async () =>
    {
        var taken = new List<ErrorReport>();
        foreach (var node in nodes)
        {
            taken.AddRange(await node.ErrorQueue.EmptyAsync(1000));
        }

        return taken;
    });

    /// <summary>All reports that these nodes have made until now, at least as many as are expected.</summary>
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
