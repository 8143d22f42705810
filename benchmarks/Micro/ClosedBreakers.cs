using BenchmarkDotNet.Attributes;
using Polly;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// A call through a closed circuit breaker, that of ServiceMesh and that of Polly. The calls do nothing and complete at once.
/// </summary>
/// <remarks>The command <c>breaker</c> measures both in turns in one run, and also the breaker without a pipeline.</remarks>
public class ClosedBreakers
{
    private const int Calls = 100_000;

    private ResiliencePipeline<int> _pipeline = null!;

    public static IEnumerable<string> Names => ["none", "AddFastCircuitBreaker", "Polly's AddCircuitBreaker"];

    [ParamsSource(nameof(Names))]
    public string Breaker { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        var builder = new ResiliencePipelineBuilder<int>();
        _pipeline = (Breaker == Names.First() ? builder
            : Breaker == Names.Last() ? builder.AddCircuitBreaker(new())
            : builder.AddFastCircuitBreaker(new())).Build();
    }

    [Benchmark(Description = "one thread", OperationsPerInvoke = Calls)]
    public void OneThread() => Call();

    /// <summary>The nanoseconds of one call while another thread calls too.</summary>
    [Benchmark(Description = "two threads", OperationsPerInvoke = Calls)]
    public void TwoThreads() => Pair.Run(Call);

    private void Call()
    {
        var context = ResilienceContextPool.Shared.Get();
        for (var i = 0; i < Calls; i++)
        {
            var running = _pipeline.ExecuteOutcomeAsync(static (_, _) => new ValueTask<Outcome<int>>(Outcome.FromResult(1)), context, 0);
            _ = running.IsCompletedSuccessfully
                ? running.Result
                : throw new InvalidOperationException("The call did not complete synchronously.");
        }

        ResilienceContextPool.Shared.Return(context);
    }
}
