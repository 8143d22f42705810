using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Support;

/// <summary>The way of bytes through a <see cref="FaultProxy"/>.</summary>
[Flags]
public enum FaultDirection
{
    ToServer = 1,
    ToClient = 2,
    Both = ToServer | ToClient,
}

/// <summary>
/// A TCP proxy on loopback between a client and a server, with the faults of a network: it delays, throttles, cuts a connection
/// in the middle of what it carries, resets, and goes silent. What a silent network holds back arrives when it is healed, as
/// with TCP. Thread-safe.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentDictionary<Connection, bool> _open = new();
    private readonly TcpListener _listener;
    private readonly Way _toServer = new();
    private readonly Way _toClient = new();
    private readonly int _target;
    private readonly Task _accepting;

    private FaultProxy(TcpListener listener, int target)
    {
        (_listener, _target) = (listener, target);
        _accepting = AcceptAsync();
    }

    public string Address => $"{_listener.LocalEndpoint}";

    /// <param name="target">The loopback port of the server.</param>
    public static FaultProxy Start(int target)
    {
        while (true)
        {
            var listener = new TcpListener(IPAddress.Loopback, FreePort.Next());
            try
            {
                listener.Start();
                return new(listener, target);
            }
            catch (SocketException)
            {
                listener.Dispose(); // another process has taken the port
            }
        }
    }

    /// <summary>Delays each piece of data by a time before the next one is read.</summary>
    public void Delay(FaultDirection direction, TimeSpan time) => Change(direction, way => way.Delay = time);

    /// <summary>Limits the bytes per second; 0 for no limit.</summary>
    public void Throttle(FaultDirection direction, int bytesPerSecond) => Change(direction, way => way.BytesPerSecond = bytesPerSecond);

    /// <summary>Holds all bytes back, on open and on new connections. The connections stay open.</summary>
    public void Silence(FaultDirection direction) => Change(direction, way => way.Close());

    /// <summary>Ends the silence: the bytes that were held back pass.</summary>
    public void Speak(FaultDirection direction) => Change(direction, way => way.Open());

    /// <summary>Lets the given number of bytes pass, and then closes the connection that carried the last of them.</summary>
    public void CutAfter(FaultDirection direction, int bytes) => Change(direction, way => way.CutAfter(bytes));

    /// <summary>Resets every connection.</summary>
    public void Reset()
    {
        foreach (var connection in _open.Keys)
        {
            connection.Reset();
        }
    }

    /// <summary>Ends all faults. Connections that were cut stay closed.</summary>
    public void Heal() => Change(FaultDirection.Both, way =>
    {
        (way.Delay, way.BytesPerSecond) = (TimeSpan.Zero, 0);
        way.CutAfter(Way.Never);
        way.Open();
    });

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Stop();
        Reset();
        await _accepting;
        _listener.Dispose();
        _closing.Dispose();
    }

    private void Change(FaultDirection direction, Action<Way> change)
    {
        if (direction.HasFlag(FaultDirection.ToServer))
        {
            change(_toServer);
        }

        if (direction.HasFlag(FaultDirection.ToClient))
        {
            change(_toClient);
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await _listener.AcceptSocketAsync(_closing.Token));
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The proxy is disposed.
        }
    }

    private async Task CarryAsync(Socket client)
    {
        using var connection = new Connection(client);
        _open[connection] = true;
        try
        {
            await connection.Server.ConnectAsync(IPAddress.Loopback, _target, _closing.Token);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
            await await Task.WhenAny(
                PumpAsync(connection.Client, connection.Server, _toServer, ended.Token),
                PumpAsync(connection.Server, connection.Client, _toClient, ended.Token));
            await ended.CancelAsync();
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            connection.Reset();
        }
        finally
        {
            _open.TryRemove(connection, out _);
        }
    }

    // Ends when the sender has closed the connection, or with a cut.
    private static async Task PumpAsync(Socket from, Socket to, Way way, CancellationToken ended)
    {
        var buffer = new byte[16 * 1024];
        while (await from.ReceiveAsync(buffer, ended) is var count and > 0)
        {
            await way.PassAsync(ended);
            for (var sent = 0; sent < count;)
            {
                var (size, isCut) = way.Take(count - sent);
                for (var left = size; left > 0;)
                {
                    left -= await to.SendAsync(buffer.AsMemory(sent + size - left, left), ended);
                }

                sent += size;
                if (isCut)
                {
                    return;
                }

                await way.PaceAsync(size, ended);
            }
        }
    }

    private sealed class Connection : IDisposable
    {
        public Connection(Socket client)
        {
            (Client, Server) = (client, new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            (Client.NoDelay, Server.NoDelay) = (true, true);
        }

        public Socket Client { get; }

        public Socket Server { get; }

        public void Reset()
        {
            Client.Close(0);
            Server.Close(0);
        }

        public void Dispose()
        {
            Client.Dispose();
            Server.Dispose();
        }
    }

    /// <summary>The faults of the bytes in one direction.</summary>
    private sealed class Way
    {
        public const int Never = -1;

        private readonly Lock _lock = new();
        private TaskCompletionSource? _silence;
        private TimeSpan _delay;
        private int _bytesPerSecond;
        private int _untilCut = Never;

        public TimeSpan Delay
        {
            set
            {
                lock (_lock)
                {
                    _delay = value;
                }
            }
        }

        public int BytesPerSecond
        {
            set
            {
                lock (_lock)
                {
                    _bytesPerSecond = value;
                }
            }
        }

        public void CutAfter(int bytes)
        {
            lock (_lock)
            {
                _untilCut = bytes;
            }
        }

        public void Close()
        {
            lock (_lock)
            {
                _silence ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public void Open()
        {
            TaskCompletionSource? silence;
            lock (_lock)
            {
                (silence, _silence) = (_silence, null);
            }

            silence?.SetResult();
        }

        /// <summary>Completes when the bytes that were read may pass.</summary>
        public async Task PassAsync(CancellationToken ended)
        {
            TimeSpan delay;
            lock (_lock)
            {
                delay = _delay;
            }

            if (delay > TimeSpan.Zero)
            {
                await Task.Delay(delay, ended);
            }

            while (Silent() is { } silence)
            {
                await silence.WaitAsync(ended);
            }
        }

        /// <summary>How many of these bytes pass at once, and whether the connection ends after them.</summary>
        public (int Size, bool IsCut) Take(int count)
        {
            lock (_lock)
            {
                var size = _bytesPerSecond == 0 ? count : Math.Clamp(_bytesPerSecond / 20, 1, count);
                if (_untilCut == Never)
                {
                    return (size, false);
                }

                if (size < _untilCut)
                {
                    _untilCut -= size;
                    return (size, false);
                }

                (size, _untilCut) = (_untilCut, Never);
                return (size, true);
            }
        }

        public async Task PaceAsync(int bytes, CancellationToken ended)
        {
            int bytesPerSecond;
            lock (_lock)
            {
                bytesPerSecond = _bytesPerSecond;
            }

            if (bytesPerSecond > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds((double)bytes / bytesPerSecond), ended);
            }
        }

        private Task? Silent()
        {
            lock (_lock)
            {
                return _silence?.Task;
            }
        }
    }
}
