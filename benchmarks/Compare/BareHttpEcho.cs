using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The lower bound of the cost over HTTP: <see cref="HttpMessageInvoker"/> on a bare <see cref="SocketsHttpHandler"/> to a Kestrel without
/// routing, logging or middleware. The body is JSON, which the caller writes and reads; the server sends the bytes back unread.
/// It has no deadline, no retry, no limit, and only the headers of HTTP. With replicas the servers take turns.
/// </summary>
internal sealed class BareHttpEcho : IEcho
{
    private static readonly MediaTypeHeaderValue s_json = new("application/json");

    private readonly List<WebApplication> _servers = [];
    private readonly HttpMessageInvoker _http;
    private readonly Version _version;
    private Uri[] _addresses = [];
    private int _turn;

    private BareHttpEcho(bool http2)
    {
        _version = http2 ? HttpVersion.Version20 : HttpVersion.Version11;
        _http = new(new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
        });
    }

    public static async Task<IEcho> StartAsync(bool http2, int replicas)
    {
        var echo = new BareHttpEcho(http2);
        for (var i = 0; i < replicas; i++)
        {
            var port = FreePort.Next();
            var builder = WebApplication.CreateEmptyBuilder(new());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                kestrel.ListenLocalhost(port, listen => listen.Protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1);
            });
            var server = builder.Build();
            server.Run(EchoBodyAsync);
            await server.StartAsync();
            echo._servers.Add(server);
            echo._addresses = [.. echo._addresses, new Uri($"http://127.0.0.1:{port}/echo")];
        }

        return echo;
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        var address = _addresses.Length == 1 ? _addresses[0] : _addresses[(uint)Interlocked.Increment(ref _turn) % (uint)_addresses.Length];
        using var request = new HttpRequestMessage(HttpMethod.Post, address)
        {
            Version = _version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(reading)) { Headers = { ContentType = s_json } },
        };
        using var response = await _http.SendAsync(request, cancellationToken);
        return JsonSerializer.Deserialize<Reading>(await response.Content.ReadAsByteArrayAsync(cancellationToken))!;
    }

    private static async Task EchoBodyAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        var read = await reader.ReadAtLeastAsync((int)context.Request.ContentLength!.Value, context.RequestAborted);
        context.Response.ContentLength = read.Buffer.Length;
        context.Response.ContentType = "application/json";
        foreach (var part in read.Buffer)
        {
            await context.Response.BodyWriter.WriteAsync(part, context.RequestAborted);
        }

        reader.AdvanceTo(read.Buffer.End);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }
}
