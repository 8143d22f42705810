using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Benchmarks;

/// <summary>The in-memory transport with everything on: an echo of a small record, and five steps one after the other.</summary>
internal sealed class InMemory : IAsyncDisposable
{
    private sealed record Reading(string Month, int Day, double Degrees);

    private static readonly RequestTopic<Reading, Reading> s_echo = new("bench.echo");
    private static readonly Composition<Reading, Reading> s_pipe = s_echo | s_echo | s_echo | s_echo | s_echo;
    private static readonly Reading s_reading = new("jan", 17, -3.5);

    private readonly IHost _host;

    private InMemory(IHost host) => _host = host;

    public IEnumerable<Contestant> Contestants
    {
        get
        {
            var bus = _host.Services.GetRequiredService<IServiceBus>();
            yield return new("inmemory/servicemesh", 1, token => bus.RequestAsync(s_echo, s_reading, token));
            yield return new("inmemory/five-requests", 5, async token =>
            {
                for (var i = 0; i < 5; i++)
                {
                    await bus.RequestAsync(s_echo, s_reading, token);
                }
            });
            yield return new("inmemory/pipe-of-five", 5, token => bus.ExecuteAsync(s_pipe, s_reading, token));
        }
    }

    public static async Task<InMemory> StartAsync()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddServiceMesh().AddInMemoryTransport().AddHandler(s_echo, (reading, _) => reading);
        var host = builder.Build();
        await host.StartAsync();
        return new(host);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
