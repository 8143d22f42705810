using BenchmarkDotNet.Attributes;
using ServiceMesh.Http;

namespace ServiceMesh.Benchmarks;

/// <summary>Picks one of several endpoints, as the HTTP client does: by priority, with different latencies and loads.</summary>
public class BalancerPicks
{
    private const int Picks = 100_000;

    private static readonly string[] s_keys = [.. Enumerable.Range(0, 256).Select(i => $"customer-{i}")];

    private IBalancer _balancer = null!;

    public static IEnumerable<string> Names => BalancerKind.BuiltIn.Select(k => k.Name);

    [ParamsSource(nameof(Names))]
    public string Balancer { get; set; } = "";

    [Params(3, 16)]
    public int Endpoints { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Endpoint[] endpoints =
        [
            .. Enumerable.Range(1, Endpoints).Select(i => new Endpoint(new("10.0.0.1", i) { Weight = i }, TimeProvider.System)),
        ];
        foreach (var (i, endpoint) in endpoints.Index())
        {
            // Each endpoint has a circuit breaker, as in a service, and a pick checks it.
            _ = endpoint.Breaker;

            // The latencies exceed the assumed latency of a new endpoint; otherwise all would be equal. Every second endpoint is busy.
            endpoint.RecordSuccess(TimeSpan.FromMilliseconds(40 + i));
            endpoint.RecordBytes(1000 * i);
            endpoint.ReportedLoad = i / 100.0;
            if (i % 2 == 0)
            {
                endpoint.Begin();
            }
        }

        _balancer = new BalancerKinds([]).Create(Balancer, new());
        _balancer.Update([.. endpoints]);
    }

    [Benchmark(Description = "one thread", OperationsPerInvoke = Picks)]
    public void OneThread() => Pick();

    /// <summary>The nanoseconds of one pick while another thread picks too.</summary>
    [Benchmark(Description = "two threads", OperationsPerInvoke = Picks)]
    public void TwoThreads() => Pair.Run(Pick);

    private void Pick()
    {
        for (var i = 0; i < Picks; i++)
        {
            _balancer.Pick(new() { Key = s_keys[i & 255] });
        }
    }
}
