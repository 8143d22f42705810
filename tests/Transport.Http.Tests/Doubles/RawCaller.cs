using System.Net;
using System.Net.Sockets;
using System.Text;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>A caller that writes bytes of its own to a server, and may leave a request unfinished or an answer unread.</summary>
internal sealed class RawCaller : IDisposable
{
    private readonly TcpClient _tcp;
    private readonly StreamReader _reader;

    private RawCaller(TcpClient tcp)
    {
        _tcp = tcp;
        _reader = new(tcp.GetStream(), Encoding.UTF8, false, 1024, leaveOpen: true);
    }

    public static async Task<RawCaller> ConnectAsync(int port, int? receiveBuffer = null)
    {
        var tcp = new TcpClient();
        if (receiveBuffer is { } size)
        {
            tcp.ReceiveBufferSize = size;
        }

        await tcp.ConnectAsync(IPAddress.Loopback, port).InTime();
        return new(tcp);
    }

    /// <summary>Sends a whole request and reads everything until the server closes.</summary>
    public static async Task<string> AskAsync(int port, string request)
    {
        using var caller = await ConnectAsync(port);
        await caller.SendAsync(request);
        return await caller._reader.ReadToEndAsync().InTime();
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public Task SendAsync(ReadOnlyMemory<byte> bytes) => _tcp.GetStream().WriteAsync(bytes).AsTask().InTime();

    /// <summary>The next line of the answer; null when the server has closed the connection.</summary>
    public async Task<string?> ReadLineAsync()
    {
        try
        {
            return await _reader.ReadLineAsync().InTime();
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>For a test's own notes.</summary>
    public bool IsRefused { get; set; }

    /// <summary>Whether an answer has arrived that was not read, or the server has closed the connection.</summary>
    public bool IsAnswered => _tcp.Client.Poll(0, SelectMode.SelectRead);

    public void Dispose()
    {
        _reader.Dispose();
        _tcp.Dispose();
    }
}
