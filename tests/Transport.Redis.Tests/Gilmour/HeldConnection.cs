using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Redis.Tests;

/// <summary>A way to Redis on which a test can hold what a node sends, from the first bytes that contain a certain text on.</summary>
internal sealed class HeldConnection : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _port;
    private readonly Task _accepting;
    private volatile byte[]? _text;
    private volatile int _passes;

    /// <param name="port">Where Redis listens.</param>
    public HeldConnection(int port)
    {
        _port = port;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Ends when something is held.</summary>
    public Task Held => _held.Task;

    /// <summary>Holds the next bytes with a text, or those after so many.</summary>
    public void HoldNext(byte[] text, int after = 0) => (_passes, _text) = (after, text);

    public void Release() => _released.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        Release();
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var relaying = new List<Task>();
        try
        {
            while (true)
            {
                relaying.Add(RelayAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end of the test.
        }

        await Task.WhenAll(relaying);
    }

    private async Task RelayAsync(TcpClient node)
    {
        using var own = node;
        using var redis = new TcpClient { NoDelay = true };
        node.NoDelay = true;
        try
        {
            await redis.ConnectAsync(IPAddress.Loopback, _port, _end.Token);
            await Task.WhenAny(
                CopyAsync(node.GetStream(), redis.GetStream(), mayHold: true),
                CopyAsync(redis.GetStream(), node.GetStream(), mayHold: false));
        }
        catch (Exception gone) when (gone is IOException or SocketException or OperationCanceledException)
        {
            // One of the two has disconnected, or the test ends.
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, bool mayHold)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, _end.Token) is var read and > 0)
        {
            if (mayHold && _text is { } text && buffer.AsSpan(0, read).IndexOf(text) >= 0 && _passes-- <= 0)
            {
                _text = null;
                _held.TrySetResult();
                await _released.Task;
            }

            await to.WriteAsync(buffer.AsMemory(0, read), _end.Token);
        }
    }
}
