using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// Five requests in memory: one after the other in code, and as one composition of each form. A form with branches sends them at once, so
/// it is compared with five requests at once.
/// </summary>
public class CompositionOverhead
{
    private static readonly RequestTopic<Reading, Reading> s_step = MeshEcho.Topic;
    private static readonly Composition<Reading, Reading> s_pipe = s_step | s_step | s_step | s_step | s_step;
    private static readonly Reading s_reading = new("jan", 17, -3.5);
    private static readonly Reading[] s_five = [s_reading, s_reading, s_reading, s_reading, s_reading];

    private static readonly Composition<Reading, Reading[]> s_parallel = Compose.Parallel(s_step, s_step, s_step, s_step, s_step);
    private static readonly Composition<Reading, Reply<Reading>[]> s_settle = Compose.Settle(s_step, s_step, s_step, s_step, s_step);
    private static readonly Composition<Reading, Reading> s_race = Compose.Race(s_step, s_step, s_step, s_step, s_step);
    private static readonly Composition<Reading[], Reading[]> s_each = s_step.Each(maxConcurrency: 5);
    private static readonly Composition<Reading, Reading> s_guarded = Pipe(s_step.Within(TimeSpan.FromSeconds(10)));
    private static readonly Composition<Reading, Reading> s_retried = Pipe(s_step.Retry(3));
    private static readonly Composition<Reading, Reading> s_recovered = Pipe(s_step.Recover(_ => null));
    private static readonly Composition<Reading, Reading> s_stepped = Compose.Step(async (Reading reading, StepContext step) =>
    {
        for (var i = 0; i < 5; i++)
        {
            reading = await step.ExecuteAsync(s_step, reading);
        }

        return reading;
    });

    private IHost _host = null!;
    private IServiceBus _bus = null!;

    [GlobalSetup]
    public void Setup()
    {
        _host = MeshEcho.Build([], mesh => mesh.AddInMemoryTransport(), answers: true);
        _host.Start();
        _bus = _host.Services.GetRequiredService<IServiceBus>();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _host.StopAsync().GetAwaiter().GetResult();
        ((IAsyncDisposable)_host).DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    [Benchmark(Baseline = true, Description = "five requests")]
    public async Task<Reading> FiveRequests()
    {
        var reading = s_reading;
        for (var i = 0; i < 5; i++)
        {
            reading = await _bus.RequestAsync(s_step, reading);
        }

        return reading;
    }

    [Benchmark(Description = "pipe of five")]
    public Task<Reading> PipeOfFive() => _bus.ExecuteAsync(s_pipe, s_reading);

    [Benchmark(Description = "pipe of five with a timeout each")]
    public Task<Reading> PipeWithin() => _bus.ExecuteAsync(s_guarded, s_reading);

    [Benchmark(Description = "pipe of five with a retry each")]
    public Task<Reading> PipeWithRetries() => _bus.ExecuteAsync(s_retried, s_reading);

    [Benchmark(Description = "pipe of five with an alternative each")]
    public Task<Reading> PipeWithAlternatives() => _bus.ExecuteAsync(s_recovered, s_reading);

    [Benchmark(Description = "a step that executes five")]
    public Task<Reading> StepOfFive() => _bus.ExecuteAsync(s_stepped, s_reading);

    [Benchmark(Description = "five requests at once")]
    public Task<Reading[]> FiveAtOnce() => Task.WhenAll(
        _bus.RequestAsync(s_step, s_reading), _bus.RequestAsync(s_step, s_reading), _bus.RequestAsync(s_step, s_reading),
        _bus.RequestAsync(s_step, s_reading), _bus.RequestAsync(s_step, s_reading));

    [Benchmark(Description = "parallel of five")]
    public Task<Reading[]> ParallelOfFive() => _bus.ExecuteAsync(s_parallel, s_reading);

    [Benchmark(Description = "settle of five")]
    public Task<Reply<Reading>[]> SettleOfFive() => _bus.ExecuteAsync(s_settle, s_reading);

    [Benchmark(Description = "race of five")]
    public Task<Reading> RaceOfFive() => _bus.ExecuteAsync(s_race, s_reading);

    [Benchmark(Description = "each of five")]
    public Task<Reading[]> EachOfFive() => _bus.ExecuteAsync(s_each, s_five);

    private static Composition<Reading, Reading> Pipe(Composition<Reading, Reading> step) => step | step | step | step | step;
}
