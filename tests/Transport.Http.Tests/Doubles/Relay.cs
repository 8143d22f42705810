using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>Stands between a client and a server: passes bytes on, and can stop doing so in the ways in which networks fail.</summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentBag<TcpClient> _open = [];
    private readonly int _target;
    private readonly Task _accepting;
    private readonly ConcurrentQueue<string> _held = new();
    private volatile bool _frozen;
    private volatile bool _broken;

    public Relay(int target)
    {
        _target = target;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Whether a client has connected.</summary>
    public bool WasCalled => !_open.IsEmpty;

    /// <summary>Keeps all connections and passes no more bytes on: a machine that vanished.</summary>
    public void Freeze() => _frozen = true;

    public void Thaw() => _frozen = false;

    /// <summary>Ends when the relay has got this text and keeps it, because it is frozen.</summary>
    public Task HeldAsync(string text) => Failsafe.UntilAsync(() => _held.Any(h => h.Contains(text, StringComparison.Ordinal)));

    /// <summary>Breaks all connections and every new one at once: the network is down.</summary>
    public void Break()
    {
        _broken = true;
        foreach (var client in _open)
        {
            client.Client?.Close(0);
        }
    }

    public void Repair() => _broken = false;

    /// <summary>Breaks all connections and refuses new ones: a process that was killed.</summary>
    public async Task CutAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        foreach (var client in _open)
        {
            client.Client?.Close(0); // a reset, as the end of a process makes it
            client.Dispose();
        }

        await _accepting;
    }

    public async ValueTask DisposeAsync()
    {
        await CutAsync();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var near = await _listener.AcceptTcpClientAsync(_end.Token);
                _open.Add(near);
                if (_broken)
                {
                    near.Client.Close(0);
                    continue;
                }

                _ = ConnectAsync(near);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task ConnectAsync(TcpClient near)
    {
        var far = new TcpClient();
        _open.Add(far);
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
            await Task.WhenAny(PassAsync(near, far), PassAsync(far, near));
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or IOException or ObjectDisposedException
            or InvalidOperationException)
        {
            // One side is gone, and so will be the other.
        }

        near.Dispose();
        far.Dispose();
    }

    private async Task PassAsync(TcpClient from, TcpClient to)
    {
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await from.GetStream().ReadAsync(buffer, _end.Token)) > 0)
        {
            if (_frozen)
            {
                _held.Enqueue(Encoding.Latin1.GetString(buffer, 0, read));
            }

            while (_frozen)
            {
                await Task.Delay(5, _end.Token);
            }

            await to.GetStream().WriteAsync(buffer.AsMemory(0, read), _end.Token);
        }
    }
}
