using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace ServiceMesh.Support;

/// <summary>
/// A loopback port that stays reserved whether or not it listens, and gives Kestrel its connections. Linux lets a
/// second socket with SO_REUSEADDR listen on the port of one that is only bound: the first keeps the port, and the second
/// comes and goes. Thread-safe.
/// </summary>
internal sealed class FaultPort : IConnectionListenerFactory, IConnectionListener
{
    private const int Backlog = 512;
    private static readonly TimeSpan s_unanswered = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Socket _keeper = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly SocketConnectionContextFactory _connections = new(new(), NullLogger.Instance);
    private readonly Channel<ConnectionContext> _accepted = Channel.CreateUnbounded<ConnectionContext>();
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly List<Socket> _fillers = [];
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;

    public FaultPort()
    {
        while (true)
        {
            try
            {
                Reuse(_keeper);
                _keeper.Bind(new IPEndPoint(IPAddress.Loopback, FreePort.Next()));
                EndPoint = _keeper.LocalEndPoint!;
                return;
            }
            catch (SocketException)
            {
                // Another test has taken the port.
            }
        }
    }

    public EndPoint EndPoint { get; }

    /// <summary>Connections that were accepted.</summary>
    public int Accepted { get; private set; }

    /// <summary>Listens and accepts.</summary>
    public void Open()
    {
        lock (_lock)
        {
            EndNeedsLock(resetConnections: false);
            var listener = ListenNeedsLock(Backlog);
            _accepting = Task.Run(() => AcceptAllAsync(listener));
        }
    }

    /// <summary>Stops listening and resets open connections.</summary>
    public void Refuse()
    {
        lock (_lock)
        {
            EndNeedsLock(resetConnections: true);
        }
    }

    /// <summary>
    /// Gives clients no packet back and resets open connections. While the queue of a listener is full, Linux drops
    /// connection attempts, so this listener gets a short queue, which is then filled.
    /// </summary>
    public void Swallow()
    {
        lock (_lock)
        {
            EndNeedsLock(resetConnections: true);
            _ = ListenNeedsLock(backlog: 0);
            Socket filler;
            do
            {
                filler = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
                _fillers.Add(filler);
            }
            while (ConnectsNeedsLock(filler));
        }
    }

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _accepted.Reader.WaitToReadAsync(cancellationToken) && _accepted.Reader.TryRead(out var connection) ? connection : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _accepted.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        Refuse();
        _accepted.Writer.TryComplete();
        await _accepting;
        _keeper.Dispose();
        _connections.Dispose();
    }

    private bool ConnectsNeedsLock(Socket filler)
    {
        try
        {
            filler.Connect(EndPoint);
            return true;
        }
        catch (SocketException failure) when (failure.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            return filler.Poll(s_unanswered, SelectMode.SelectWrite);
        }
    }

    [SuppressMessage("Reliability", "CA2000", Justification = "It is the port's until the next change ends it.")]
    private Socket ListenNeedsLock(int backlog)
    {
        _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Reuse(_listener);
        _listener.Bind(EndPoint);
        _listener.Listen(backlog);
        return _listener;
    }

    private void EndNeedsLock(bool resetConnections)
    {
        _listener?.Dispose();
        _listener = null;
        _fillers.ForEach(f => f.Dispose());
        _fillers.Clear();
        foreach (var socket in resetConnections ? _open.Keys : [])
        {
            socket.Close(timeout: 0); // a reset, as when a process ends
        }
    }

    private async Task AcceptAllAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptAsync();
                socket.NoDelay = true;
                var connection = _connections.Create(socket);
                lock (_lock)
                {
                    Accepted++;
                    if (_listener != listener)
                    {
                        socket.Close(timeout: 0);
                        return;
                    }

                    _open[socket] = true;
                }

                connection.ConnectionClosed.Register(() => _open.TryRemove(socket, out _));
                if (!_accepted.Writer.TryWrite(connection))
                {
                    await connection.DisposeAsync();
                }
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // The listener has been closed.
        }
    }

    private static void Reuse(Socket socket) => socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
}
