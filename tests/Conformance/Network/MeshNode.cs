using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Conformance;

/// <summary>
/// One node of a test's network: a host with a bus, as an application runs it. Whatever is awaited through it ends within the failsafe
/// time.
/// </summary>
public sealed class MeshNode : IAsyncDisposable
{
    private readonly IHost _host;

    private MeshNode(IHost host)
    {
        _host = host;
        Bus = new FailsafeBus(Services.GetRequiredService<IServiceBus>());
    }

    public IServiceBus Bus { get; }

    public string Id => Bus.DescribeNode().Id;

    public IErrorQueue ErrorQueue => Services.GetRequiredService<IErrorQueue>();

    public IServiceProvider Services => _host.Services;

    /// <summary>Drains and disconnects, as a host does on Ctrl-C.</summary>
    public Task StopAsync() => _host.StopAsync().InTime();

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync().AsTask().InTime();
    }

    /// <summary>Builds and starts a node.</summary>
    /// <param name="configure">Adds the transport and the handlers.</param>
    /// <param name="settings">Configuration keys below <c>ServiceMesh</c>.</param>
    internal static async Task<MeshNode> StartAsync(
        Action<IServiceMeshBuilder> configure, IEnumerable<KeyValuePair<string, string>> settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(
            settings.Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:{s.Key}", s.Value)));
        builder.Logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new UnreadLog());
        configure(builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh")));
        var host = builder.Build();
        try
        {
            await host.StartAsync().InTime();
            return new(host);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }
}
