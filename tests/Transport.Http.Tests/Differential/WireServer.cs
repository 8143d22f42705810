using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// A scripted server of HTTP/1.1 that keeps the bytes of each request as they arrived. It answers each request once, and closes.
/// </summary>
internal sealed class WireServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _accepting;

    public WireServer()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Host and port.</summary>
    public string Address => ((IPEndPoint)_listener.LocalEndpoint).ToString();

    /// <summary>The answer to each request.</summary>
    public string Answer { get; set; } = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    /// <summary>Removes the requests since the last call and returns them. One character is one byte.</summary>
    public string[] Take()
    {
        var taken = new List<string>();
        while (_requests.TryDequeue(out var request))
        {
            taken.Add(request);
        }

        return [.. taken];
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_end.Token)));
            }
        }
        catch (Exception) when (_end.IsCancellationRequested)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var _ = socket;
        var received = new StringBuilder();
        try
        {
            await UntilAsync(() => received.ToString().Contains("\r\n\r\n", StringComparison.Ordinal));
            var head = received.ToString()[..(received.ToString().IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)];
            if (head.Contains("\r\nExpect: 100-continue\r\n", StringComparison.OrdinalIgnoreCase))
            {
                await socket.SendAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), _end.Token);
            }

            if (head.Contains("\r\nTransfer-Encoding: chunked\r\n", StringComparison.OrdinalIgnoreCase))
            {
                await UntilAsync(() => received.ToString(head.Length, received.Length - head.Length) is var body
                    && (body.StartsWith("0\r\n", StringComparison.Ordinal) || body.Contains("\r\n0\r\n", StringComparison.Ordinal))
                    && body.EndsWith("\r\n\r\n", StringComparison.Ordinal));
            }
            else if (LengthIn(head) is { } length)
            {
                await UntilAsync(() => received.Length >= head.Length + length);
            }

            _requests.Enqueue(received.ToString());
            await socket.SendAsync(Encoding.Latin1.GetBytes(Answer), _end.Token);
            socket.Shutdown(SocketShutdown.Send);
            while (await socket.ReceiveAsync(new byte[1024], _end.Token) > 0)
            {
                // What follows belongs to an upgraded connection. The client closes it.
            }
        }
        catch (Exception failure) when (failure is SocketException or OperationCanceledException or EndOfStreamException)
        {
            // The client left, or the test is over. What arrived counts as a request that was not complete.
        }

        async Task UntilAsync(Func<bool> condition)
        {
            var buffer = new byte[16 * 1024];
            while (!condition())
            {
                var read = await socket.ReceiveAsync(buffer, _end.Token);
                received.Append(read > 0 ? Encoding.Latin1.GetString(buffer, 0, read) : throw new EndOfStreamException());
            }
        }
    }

    private static int? LengthIn(string head)
    {
        const string Name = "\r\nContent-Length: ";
        var at = head.IndexOf(Name, StringComparison.OrdinalIgnoreCase);
        var digits = at < 0 ? "" : head[(at + Name.Length)..head.IndexOf('\r', at + 2)];
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : null;
    }
}
