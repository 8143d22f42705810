namespace ServiceMesh.Conformance;

/// <summary>
/// Collects the error reports of some nodes, and knows when a node has no more to come: a node files its reports one
/// after the other, so when the report of a failure that was made on purpose is there, all before it are.
/// </summary>
internal sealed class Reports
{
    private static readonly RequestTopic<string, string> s_fence = new("conformance.fence");

    private readonly List<ErrorReport> _all = [];
    private readonly Func<Task<IReadOnlyList<ErrorReport>>> _take;

    private Reports(Func<Task<IReadOnlyList<ErrorReport>>> take) => _take = take;

    /// <summary>Hears what is published, on a node of its own.</summary>
    public static async Task<Reports> OfPublishedAsync(MeshNode observer)
    {
        var inbox = new Inbox<ErrorReport>();
        await observer.Bus.SubscribeAsync(MeshTopics.Errors, inbox.ReceiveAsync);
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

    /// <summary>All reports that these nodes have made until now.</summary>
    public async Task<ErrorReport[]> OfAsync(params MeshNode[] nodes)
    {
        foreach (var node in nodes)
        {
            await node.Bus.TryRequestAsync(s_fence, "");
        }

        await Failsafe.UntilAsync(async () =>
        {
            _all.AddRange(await _take());
            return nodes.All(node => _all.Exists(report => IsFence(report) && report.Node == node.Id));
        });
        return [.. _all.Where(report => !IsFence(report))];
    }

    private static bool IsFence(ErrorReport report) => report.Topic == s_fence.Topic.ToString();
}
