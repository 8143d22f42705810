using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// A client of <see cref="IHttpClientFactory"/> and a replica that is a minimal API, which both read and write JSON. The client has the
/// components of .NET as its templates set them up: the standard resilience handler and, below it, service discovery, which gets the
/// replicas from the configuration and takes them by round robin. Or it has the mesh in their place.
/// </summary>
internal sealed class ResilientHttpEcho : IEcho
{
    private readonly List<WebApplication> _servers = [];
    private readonly IHost _caller;
    private readonly IHttpClientFactory _clients;

    private ResilientHttpEcho(bool http2, bool isMesh, IReadOnlyCollection<int> ports)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(
            ports.Select((port, i) => KeyValuePair.Create<string, string?>($"Services:echo:http:{i}", $"127.0.0.1:{port}")));
        builder.Configuration.AddInMemoryCollection(
        [
            new("ServiceMesh:Http:Services:echo:Address", $"static:{string.Join(',', ports.Select(port => $"127.0.0.1:{port}"))}"),
            new("ServiceMesh:Http:Services:echo:Http2", $"{http2}"),
        ]);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var client = builder.Services.AddHttpClient("echo", client =>
        {
            client.BaseAddress = new("http://echo");
            client.DefaultRequestVersion = http2 ? HttpVersion.Version20 : HttpVersion.Version11;
            client.DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        });
        client.ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { EnableMultipleHttp2Connections = true });
        if (isMesh)
        {
            client.AddServiceMesh();
        }
        else
        {
            builder.Services.AddServiceDiscovery();
            client.AddStandardResilienceHandler();
            client.AddServiceDiscovery();
        }

        _caller = builder.Build();
        _clients = _caller.Services.GetRequiredService<IHttpClientFactory>();
    }

    public static async Task<IEcho> StartAsync(bool http2, bool isMesh, int replicas)
    {
        int[] ports = [.. Enumerable.Range(0, replicas).Select(_ => FreePort.Next())];
        var protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1;
        var echo = new ResilientHttpEcho(http2, isMesh, ports);
        foreach (var port in ports)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port, listen => listen.Protocols = protocols));
            var server = builder.Build();
            server.MapPost("/echo", (Reading reading) => reading);
            await server.StartAsync();
            echo._servers.Add(server);
        }

        await echo._caller.StartAsync();
        return echo;
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        using var client = _clients.CreateClient("echo");
        using var response = await client.PostAsJsonAsync("/echo", reading, cancellationToken);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<Reading>(cancellationToken))!;
    }

    /// <summary>Stops the first replica, whose address the caller keeps.</summary>
    public ValueTask StopOneAsync() => _servers[0].DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        await _caller.StopAsync();
        await ((IAsyncDisposable)_caller).DisposeAsync();
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }
}
