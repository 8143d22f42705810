using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>The Kestrel server of a node whose application has no web server, such as a worker or a console program.</summary>
internal sealed class OwnServer : IAsyncDisposable
{
    // 8,192 characters may take nine bytes each as percent-encoded UTF-8.
    private const int MaxHeaderBytes = 128 * 1024;

    private readonly WebApplication _app;

    private OwnServer(WebApplication app) => _app = app;

    /// <summary>The addresses that it listens on; port 0 has been replaced by the actual port.</summary>
    public IReadOnlyCollection<string> Addresses { get; private init; } = [];

    /// <exception cref="InvalidOperationException">
    /// It cannot listen on an address, or the certificate cannot be read; the message names the key.
    /// </exception>
    public static async Task<OwnServer> StartAsync(
        IReadOnlyList<ListenAddress> addresses, MeshEndpoints endpoints, ServerTls? tls, string listenKey,
        int maxConnections, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton<ILoggerFactory>(new OwnServerLogs(loggers));
        builder.Services.AddSingleton<IHostLifetime, NoopHostLifetime>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = maxConnections;
            kestrel.Limits.MaxRequestBufferSize = MaxHeaderBytes; // the least that Kestrel allows: bodies have buffers of their own
            kestrel.Limits.MaxRequestBodySize = null; // the endpoints apply the limit of the bus
            kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = MaxHeaderBytes; // one header may take all of it
            kestrel.Limits.MaxRequestHeaderCount = 2 * Headers.MaxCount;
            foreach (var address in addresses)
            {
                Listen(kestrel, address, tls);
            }
        });
        var app = builder.Build();
        app.Run(endpoints.ServeAsync);
        try
        {
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or System.Net.Sockets.SocketException)
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw new InvalidOperationException(
                $"Cannot listen on {string.Join(';', addresses)} ({listenKey}): {failure.Message} " +
                "Choose another port, or stop the process that uses it.", failure);
        }

        var features = app.Services.GetRequiredService<IServer>().Features;
        return new(app) { Addresses = [.. features.Get<IServerAddressesFeature>()?.Addresses ?? []] };
    }

    /// <summary>Stops listening and waits for the requests in flight, until the token fires.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _app.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static void Listen(KestrelServerOptions kestrel, ListenAddress address, ServerTls? tls)
    {
        void Configure(ListenOptions options)
        {
            options.Protocols = address.Scheme switch
            {
                "http" => HttpProtocols.Http1,
                "h2c" => HttpProtocols.Http2,
                _ => HttpProtocols.Http1AndHttp2,
            };
            if (address.IsTls)
            {
                // Asked for each connection, because the files may have changed.
                options.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => new(tls!.ToHandshake()) });
            }
        }

        if (address.Address is { } ip)
        {
            kestrel.Listen(ip, address.Port, Configure);
        }
        else
        {
            kestrel.ListenLocalhost(address.Port, Configure);
        }
    }

    /// <summary>The transport ends this server, so it must not react to process signals itself.</summary>
    private sealed class NoopHostLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
