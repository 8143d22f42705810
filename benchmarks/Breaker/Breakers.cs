using System.Diagnostics;
using System.Globalization;
using Polly;
using ServiceMesh.Http;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The cost of a closed circuit breaker for a call, compared with that of Polly: nanoseconds on one and on two threads, and bytes.
/// All subjects take short turns in one run, and medians are printed, so that other programs on the machine disturb all alike. The
/// calls do nothing and complete at once. The pipeline without a strategy shows the cost of the pipelines themselves.
/// </summary>
internal static class Breakers
{
    private const int Rounds = 15;
    private const int Batch = 1000;

    public static async Task<int> RunAsync(TimeSpan time, TextWriter output, CancellationToken cancellationToken)
    {
        Subject[] subjects =
        [
            Subject.OfPipeline("pipeline, no strategy", new ResiliencePipelineBuilder<int>().Build()),
            Subject.OfPipeline("empty strategy", new ResiliencePipelineBuilder<int>().AddStrategy(_ => new Passing()).Build()),
            Subject.OfBreaker("CircuitBreaker, bare", new("benchmark")),
            Subject.OfPipeline("AddFastCircuitBreaker", new ResiliencePipelineBuilder<int>().AddFastCircuitBreaker(new()).Build()),
            Subject.OfPipeline("Polly AddCircuitBreaker", new ResiliencePipelineBuilder<int>().AddCircuitBreaker(new()).Build()),
        ];
        foreach (var subject in subjects)
        {
            subject.Measure(1, time / 4); // until tiered compilation has finished
        }

        for (var round = 0; round < Rounds; round++)
        {
            foreach (var subject in subjects)
            {
                cancellationToken.ThrowIfCancellationRequested();
                subject.One.Add(subject.Measure(1, time / Rounds));
                subject.Two.Add(subject.Measure(2, time / Rounds));
            }
        }

        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} processors, .NET {Environment.Version}, {Rounds} rounds, {time.TotalSeconds} s for each figure; "
                + $"medians; the ratio is Polly's time to that of the subject"));
        await output.WriteLineAsync(
            $"{"closed circuit",-26} | {"1 thread ns",11} {"ratio",6} {"cpu ns",7} | "
                + $"{"2 threads ns",12} {"ratio",6} {"cpu ns",7} | {"B per call",10}");
        var polly = subjects[^1];
        foreach (var subject in subjects)
        {
            await output.WriteLineAsync(
                $"{subject.Name,-26} | {Row(subject.One, polly.One, 11)} | {Row(subject.Two, polly.Two, 12)} | " +
                string.Create(CultureInfo.InvariantCulture, $"{subject.One.Concat(subject.Two).Max(c => c.Bytes),10:N1}"));
        }

        return 0;
    }

    private static string Row(List<Cost> costs, List<Cost> polly, int width)
    {
        var nanoseconds = Median(costs, c => c.Nanoseconds);
        var row = string.Create(CultureInfo.InvariantCulture, $"{nanoseconds:N1}").PadLeft(width);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{row} {Median(polly, c => c.Nanoseconds) / nanoseconds,6:N1} {Median(costs, c => c.Processor),7:N1}");
    }

    private static double Median(List<Cost> costs, Func<Cost, double> figure) => costs.Select(figure).Order().ElementAt(costs.Count / 2);

    /// <summary>The cost of one call.</summary>
    /// <param name="Nanoseconds">The time for its thread: with two threads, two calls take place in that time.</param>
    /// <param name="Processor">The processor time, without waiting, which other programs on the machine disturb less.</param>
    /// <param name="Bytes">The bytes that it allocates.</param>
    private sealed record Cost(double Nanoseconds, double Processor, double Bytes);

    /// <param name="Name">What is measured.</param>
    /// <param name="Prepare">Creates the action that a thread repeats: a batch of calls.</param>
    private sealed record Subject(string Name, Func<Action> Prepare)
    {
        public List<Cost> One { get; } = [];

        public List<Cost> Two { get; } = [];

        public static Subject OfPipeline(string name, ResiliencePipeline<int> pipeline) => new(name, () =>
        {
            var context = ResilienceContextPool.Shared.Get();
            return () =>
            {
                for (var i = 0; i < Batch; i++)
                {
                    var running = pipeline.ExecuteOutcomeAsync(
                        static (_, _) => new ValueTask<Outcome<int>>(Outcome.FromResult(1)), context, 0);
                    _ = running.IsCompletedSuccessfully
                        ? running.Result
                        : throw new InvalidOperationException("The call did not complete synchronously.");
                }
            };
        });

        public static Subject OfBreaker(string name, CircuitBreaker breaker) => new(name, () => () =>
        {
            for (var i = 0; i < Batch; i++)
            {
                if (breaker.TryEnter(out var pass))
                {
                    breaker.Report(pass, failed: false);
                }
            }
        });

        public Cost Measure(int threads, TimeSpan time)
        {
            var costs = new Cost[threads];
            using var start = new Barrier(threads);
            var calls = new long[threads];
            var used = Environment.CpuUsage.TotalTime;
            Thread[] running = [.. Enumerable.Range(0, threads).Select(i => new Thread(() => costs[i] = Run(start, time, out calls[i])))];
            Array.ForEach(running, t => t.Start());
            Array.ForEach(running, t => t.Join());
            used = Environment.CpuUsage.TotalTime - used;
            return new(costs.Average(c => c.Nanoseconds), used.TotalNanoseconds / calls.Sum(), costs.Max(c => c.Bytes));
        }

        private Cost Run(Barrier start, TimeSpan time, out long calls)
        {
            var batch = Prepare();
            batch();
            start.SignalAndWait();
            var bytes = GC.GetAllocatedBytesForCurrentThread();
            var began = Stopwatch.GetTimestamp();
            calls = 0;
            TimeSpan elapsed;
            do
            {
                batch();
                calls += Batch;
                elapsed = Stopwatch.GetElapsedTime(began);
            }
            while (elapsed < time);

            return new(elapsed.TotalNanoseconds / calls, 0, (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / calls);
        }
    }

    private sealed class Passing : ResilienceStrategy<int>
    {
        protected override ValueTask<Outcome<int>> ExecuteCore<TState>(
            Func<ResilienceContext, TState, ValueTask<Outcome<int>>> callback, ResilienceContext context, TState state) =>
            callback(context, state);
    }
}
