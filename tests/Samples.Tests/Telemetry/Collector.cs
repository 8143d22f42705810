using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests.Telemetry;

/// <summary>A stand-in for a server that receives telemetry: it accepts everything and stores it by path.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Path, string Body)> _received = [];
    private readonly WebApplication _server;

    private Collector(string address)
    {
        Address = address;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(address);
        _server = builder.Build();
        _server.MapFallback(KeepAsync);
    }

    public string Address { get; }

    public static async Task<Collector> StartAsync()
    {
        var collector = new Collector($"http://127.0.0.1:{FreePort.Next()}");
        await collector._server.StartAsync();
        return collector;
    }

    public IEnumerable<string> BodiesOf(string path) => _received.Where(r => r.Path == path).Select(r => r.Body);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task<IResult> KeepAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        _received.Enqueue((request.Path, Encoding.Latin1.GetString(body.ToArray())));
        return Results.Bytes([], "application/x-protobuf");
    }
}
