using BenchmarkDotNet.Attributes;

namespace ServiceMesh.Benchmarks;

/// <summary>Finds the subscriptions of a topic among the given number of subscriptions.</summary>
public class TopicMatching
{
    private readonly SubscriptionTable _exact = new();
    private readonly SubscriptionTable _patterns = new();
    private Topic _topic;
    private Topic _event;
    private Topic _unknown;
    private Topic[] _fresh = [];
    private int _next;

    [Params(10, 1_000, 10_000)]
    public int Subscriptions { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var parts = new Parts();
        Cleanup = parts.Dispose;
        _exact.Add([.. Enumerable.Range(0, Subscriptions).Select(i => parts.OnSignal($"service.s{i}.event"))]);
        _patterns.Add([.. Enumerable.Range(0, Subscriptions).Select(i => parts.OnSignal($"service.s{i}.*"))]);
        _topic = Topic.Parse($"service.s{Subscriptions / 2}.event");
        _event = Topic.Parse($"service.s{Subscriptions / 2}.event");
        _unknown = Topic.Parse("not.subscribed");

        // More topics than the cache of the table holds, so that each match is the first match of its topic.
        _fresh = [.. Enumerable.Range(0, 20_000).Select(i => Topic.Parse($"service.s{i % Subscriptions}.e{i}"))];
    }

    [GlobalCleanup]
    public void End() => Cleanup();

    private Action Cleanup { get; set; } = () => { };

    [Benchmark(Description = "exact")]
    public SubscriptionMatch Exact() => _exact.Match(_topic);

    [Benchmark(Description = "by pattern, cached topic")]
    public SubscriptionMatch ByPattern() => _patterns.Match(_event);

    [Benchmark(Description = "by pattern, new topic")]
    public SubscriptionMatch ByPatternFirstTime() => _patterns.Match(_fresh[_next++ % _fresh.Length]);

    [Benchmark(Description = "no subscriber")]
    public SubscriptionMatch NoSubscriber() => _patterns.Match(_unknown);
}
