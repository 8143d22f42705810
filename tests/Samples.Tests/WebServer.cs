using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ServiceMesh.Samples.Tests;

/// <summary>A server on a free loopback port that answers every GET with the same text, or never answers.</summary>
internal sealed class WebServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<TcpClient> _waiting = [];

    private WebServer(string? response)
    {
        _listener.Start();
        _ = ServeAsync(response);
    }

    public string Url => $"http://{_listener.LocalEndpoint}/text";

    /// <summary>Completes when the first request has arrived.</summary>
    public Task Asked => _asked.Task;

    public static WebServer Answering(string text, string status = "200 OK") =>
        new($"HTTP/1.1 {status}\r\nContent-Length: {Encoding.UTF8.GetByteCount(text)}\r\nConnection: close\r\n\r\n{text}");

    public static WebServer Silent() => new(null);

    public void Dispose()
    {
        _listener.Dispose();
        _waiting.ForEach(client => client.Dispose());
    }

    private async Task ServeAsync(string? response)
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                using var reader = new StreamReader(client.GetStream(), leaveOpen: true);
                while (await reader.ReadLineAsync() is { Length: > 0 })
                {
                }

                _waiting.Add(client);
                _asked.TrySetResult();
                if (response is not null)
                {
                    await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(response));
                    client.Close();
                }
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException or IOException)
        {
            // The server was disposed, or the client has disconnected.
        }
    }
}
