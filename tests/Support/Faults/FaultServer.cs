using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Support;

/// <summary>
/// A real HTTP/1.1 server on a loopback port that can break in the ways of <see cref="Support.Fault"/> and be repaired, at
/// any time. While it is healthy it answers every path with a <see cref="FaultServerAnswer"/>, and <c>/bytes/N</c> with N bytes
/// of <see cref="BytePattern"/>. A request is named by its header <c>request-id</c>, or by <c>mesh-id</c>. Thread-safe.
/// </summary>
public sealed class FaultServer : IAsyncDisposable
{
    private const int Chunk = 64 * 1024;

    private readonly FaultPort _port = new();
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _end = new();
    private int _attempts;
    private int _executions;
    private int _fault;

    private FaultServer(ExecutionLog log)
    {
        Log = log;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IConnectionListenerFactory>(_port);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(_port.EndPoint);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public int Port => ((IPEndPoint)_port.EndPoint).Port;

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    public Uri Uri => new($"http://{Address}/");

    /// <summary>How it is broken. A change takes effect for the next requests and connections.</summary>
    public Fault Fault
    {
        get => (Fault)Volatile.Read(ref _fault);
        set
        {
            var before = (Fault)Interlocked.Exchange(ref _fault, (int)value);
            if (value is Fault.Refused)
            {
                _port.Refuse();
            }
            else if (value is Fault.BlackHoleConnect)
            {
                _port.Swallow();
            }
            else if (before is Fault.Refused or Fault.BlackHoleConnect)
            {
                _port.Open();
            }
        }
    }

    /// <summary>How slow a slow answer is. Default: one minute.</summary>
    public TimeSpan Pause { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The <c>Retry-After</c> of a 503, in seconds; null for no such header. Default: 1.</summary>
    public int? RetryAfter { get; set; } = 1;

    /// <summary>Requests whose headers it has read.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Requests that it has read to the end of their bodies.</summary>
    public int Executions => Volatile.Read(ref _executions);

    /// <summary>Connections that it has accepted.</summary>
    public int Connections => _port.Accepted;

    /// <summary>Its attempts and executions of each request.</summary>
    public ExecutionLog Log { get; }

    /// <summary>Starts a server.</summary>
    /// <param name="fault">How it is broken from the beginning.</param>
    /// <param name="log">One log for several servers; null for its own.</param>
    public static async Task<FaultServer> StartAsync(Fault fault = Fault.None, ExecutionLog? log = null)
    {
        var server = new FaultServer(log ?? new());
        await server._app.StartAsync();
        server._port.Open();
        server.Fault = fault;
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _port.Refuse();
        await _app.DisposeAsync(); // and with it the port, which is Kestrel's listener
        _end.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _end.Token);
        try
        {
            await AnswerAsync(context, Fault, gone.Token);
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            context.Abort(); // the client has disconnected, or this server stops
        }
    }

    private async Task AnswerAsync(HttpContext context, Fault fault, CancellationToken gone)
    {
        var request = NameOf(context.Request);
        Interlocked.Increment(ref _attempts);
        Log.Arrived(request);
        if (fault == Fault.BlackHole)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, gone);
        }

        var (length, isPattern) = await ReadAsync(context.Request.Body, gone);
        Interlocked.Increment(ref _executions);
        Log.Executed(request);
        var answer = BodyOf(context.Request, request, length, isPattern);
        switch (fault)
        {
            case Fault.ResetBeforeAnswer:
                Reset(context);
                break;
            case Fault.CloseBeforeAnswer:
                SocketOf(context).Shutdown(SocketShutdown.Both);
                context.Abort();
                break;
            case Fault.ResetMidBody:
                await ResetMidBodyAsync(context, answer, gone);
                break;
            case Fault.SlowHeaders:
                await Task.Delay(Pause, gone);
                await WriteAsync(context, answer, parts: 1, gone);
                break;
            case Fault.SlowBody:
                await WriteAsync(context, answer, parts: 10, gone);
                break;
            case Fault.Status500:
                await WriteAsync(
                    context,
                    500,
                    "application/problem+json",
                    """{"title":"Internal Server Error","status":500,"detail":"A fault of the test."}""",
                    gone);
                break;
            case Fault.Status503:
                context.Response.Headers.RetryAfter = RetryAfter?.ToString(CultureInfo.InvariantCulture);
                await WriteAsync(
                    context,
                    503,
                    "application/problem+json",
                    """{"title":"Service Unavailable","status":503,"detail":"A fault of the test."}""",
                    gone);
                break;
            case Fault.HtmlErrorPage:
                await WriteAsync(context, 502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>", gone);
                break;
            case Fault.HtmlOk:
                await WriteAsync(context, 200, "text/html", "<html><body><h1>Welcome</h1></body></html>", gone);
                break;
            default:
                await WriteAsync(context, answer, parts: 1, gone);
                break;
        }
    }

    private static string NameOf(HttpRequest request) =>
        request.Headers["request-id"] is [{ } own] ? own : request.Headers["mesh-id"] is [{ } message] ? message : "nameless";

    private static async Task<(long Length, bool IsPattern)> ReadAsync(Stream body, CancellationToken gone)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Chunk);
        var length = 0L;
        var isPattern = true;
        int read;
        while ((read = await body.ReadAsync(buffer, gone)) > 0)
        {
            isPattern = isPattern && BytePattern.Matches(buffer.AsSpan(0, read), length);
            length += read;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return (length, isPattern);
    }

    private Body BodyOf(HttpRequest request, string name, long length, bool isPattern)
    {
        if (request.Path.StartsWithSegments("/bytes", out var count))
        {
            return new("application/octet-stream", long.Parse(count.Value![1..], CultureInfo.InvariantCulture), BytePattern.Fill);
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(
            new FaultServerAnswer(
                Address, name, request.Method, $"{request.Path}{request.QueryString}", request.Host.Value ?? "", length, isPattern));
        return new("application/json", json.Length, (target, offset) => json.AsSpan((int)offset, target.Length).CopyTo(target));
    }

    private async Task WriteAsync(HttpContext context, Body body, int parts, CancellationToken gone)
    {
        context.Response.ContentType = body.ContentType;
        context.Response.ContentLength = body.Length;
        await context.Response.StartAsync(gone);
        var written = 0L;
        for (var part = 1; part <= parts; part++)
        {
            if (parts > 1)
            {
                await context.Response.Body.FlushAsync(gone);
                await Task.Delay(Pause, gone);
            }

            var end = body.Length * part / parts;
            await body.CopyAsync(written, end, chunk => context.Response.Body.WriteAsync(chunk, gone));
            written = end;
        }
    }

    private static Task WriteAsync(HttpContext context, int status, string contentType, string text, CancellationToken gone)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.ContentLength = text.Length;
        return context.Response.WriteAsync(text, gone);
    }

    // Bypasses Kestrel, because a reset would discard Kestrel's buffers.
    private static async Task ResetMidBodyAsync(HttpContext context, Body body, CancellationToken gone)
    {
        var socket = SocketOf(context);
        var head = string.Create(
            CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Type: {body.ContentType}\r\nContent-Length: {body.Length}\r\n\r\n");
        await SendAllAsync(socket, Encoding.ASCII.GetBytes(head), gone);
        await body.CopyAsync(0, body.Length / 2, chunk => SendAllAsync(socket, chunk, gone));
        while (HasUnacknowledged(socket))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(1), gone);
        }

        Reset(context);
    }

    // A reset discards the kernel's send buffer too. TCP_INFO (linux/tcp.h) has the number of unacknowledged packets at 24 and of bytes
    // not yet sent at 144.
    private static bool HasUnacknowledged(Socket socket)
    {
        const int Tcp = 6, TcpInfo = 11;
        Span<byte> info = stackalloc byte[148];
        socket.GetRawSocketOption(Tcp, TcpInfo, info);
        return MemoryMarshal.Read<uint>(info[24..]) != 0 || MemoryMarshal.Read<uint>(info[144..]) != 0;
    }

    private static async ValueTask SendAllAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken gone)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, gone)..];
        }
    }

    private static void Reset(HttpContext context)
    {
        SocketOf(context).Close(timeout: 0);
        context.Abort();
    }

    private static Socket SocketOf(HttpContext context) => context.Features.Get<IConnectionSocketFeature>()!.Socket;

    private sealed record Body(string ContentType, long Length, FillBytes Fill)
    {
        public async Task CopyAsync(long from, long to, Func<ReadOnlyMemory<byte>, ValueTask> write)
        {
            var buffer = new byte[Math.Min(Chunk, to - from)];
            while (from < to)
            {
                var chunk = buffer.AsMemory(0, (int)Math.Min(buffer.Length, to - from));
                Fill(chunk.Span, from);
                await write(chunk);
                from += chunk.Length;
            }
        }
    }

    private delegate void FillBytes(Span<byte> target, long offset);
}

/// <summary>The answer of a healthy <see cref="FaultServer"/>.</summary>
/// <param name="Server">Its address.</param>
/// <param name="Request">The name of the request.</param>
/// <param name="Method">The method.</param>
/// <param name="Path">The path with its query.</param>
/// <param name="Host">The header <c>Host</c>.</param>
/// <param name="Length">Bytes of the request's body.</param>
/// <param name="IsPattern">Whether these bytes equal <see cref="BytePattern"/>.</param>
public sealed record FaultServerAnswer(string Server, string Request, string Method, string Path, string Host, long Length, bool IsPattern);
