using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ServiceMesh.Benchmarks;

/// <summary>Five requests in memory: one after the other in code, and as one composition.</summary>
public class CompositionOverhead
{
    private static readonly RequestTopic<Reading, Reading> s_step = MeshEcho.Topic;
    private static readonly Composition<Reading, Reading> s_pipe = s_step | s_step | s_step | s_step | s_step;
    private static readonly Reading s_reading = new("jan", 17, -3.5);

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
}
