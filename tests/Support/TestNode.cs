using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Support;

/// <summary>A node as an application runs it: a host with a bus and configuration by key. Its log is recorded for the test.</summary>
public sealed class TestNode : IAsyncDisposable
{
    private readonly IHost _host;

    private TestNode(IHost host, RecordedLog log)
    {
        _host = host;
        Log = log;
    }

    public IServiceProvider Services => _host.Services;

    public IServiceBus Bus => Services.GetRequiredService<IServiceBus>();

    public IErrorQueue ErrorQueue => Services.GetRequiredService<IErrorQueue>();

    public RecordedLog Log { get; }

    /// <summary>Builds and starts a node.</summary>
    /// <param name="configure">Adds the transport and the handlers.</param>
    /// <param name="settings">Configuration keys below <c>ServiceMesh</c>, for instance <c>("Handler:MaxQueued", "0")</c>.</param>
    /// <param name="services">Other services: a clock, dependencies of handlers.</param>
    public static async Task<TestNode> StartAsync(
        Action<IServiceMeshBuilder> configure,
        IEnumerable<(string Key, string Value)>? settings = null,
        Action<IServiceCollection>? services = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(
            (settings ?? []).Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:{s.Key}", s.Value)));
        var log = new RecordedLog();
        builder.Logging.SetMinimumLevel(LogLevel.Debug).AddProvider(log);
        services?.Invoke(builder.Services);
        configure(builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh")));
        var host = builder.Build();
        try
        {
            await host.StartAsync();
            return new(host, log);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    /// <summary>Stops the node as the host does on Ctrl-C: drains, then disconnects.</summary>
    public Task StopAsync() => _host.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        if (_host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
    }
}
