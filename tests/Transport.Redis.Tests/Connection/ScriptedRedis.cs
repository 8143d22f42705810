using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>
/// A server that speaks the protocol of Redis and answers as a test says: a version that is not installed here, or an error that
/// a real server seldom gives.
/// </summary>
internal sealed class ScriptedRedis : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Func<string[], string?> _answer;
    private readonly Task _accepting;

    private ScriptedRedis(Func<string[], string?> answer)
    {
        _answer = answer;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => $"{_listener.LocalEndpoint}";

    /// <summary>
    /// An answer is what stands on the wire, with CR LF at its end; null for what a plain server says, and "" to hang up.
    /// </summary>
    public static ScriptedRedis Start(Func<string[], string?> answer) => new(answer);

    public static string Bulk(string text) =>
        string.Create(CultureInfo.InvariantCulture, $"${text.Length}\r\n{text}\r\n");

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
    }

    private static string Plain(string[] command) => command switch
    {
        ["PING"] => "+PONG\r\n",
        ["ECHO", var text] => Bulk(text),
        ["SUBSCRIBE", var channel] => $"*3\r\n{Bulk("subscribe")}{Bulk(channel)}:1\r\n",
        ["GET", ..] => "$-1\r\n",
        ["CONFIG" or "CLUSTER" or "SENTINEL" or "HELLO", ..] => "-ERR unknown command\r\n",
        _ => "+OK\r\n",
    };

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
            }
        }
        catch (Exception stopped)
            when (stopped is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The end of the test.
        }

        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var own = client;
        try
        {
            var stream = client.GetStream();
            // The client's own words are bytes of any value, and each becomes one character here.
            using var reader = new StreamReader(stream, Encoding.Latin1);
            while (await reader.ReadLineAsync(_end.Token) is { } count)
            {
                var command = new string[int.Parse(count[1..], CultureInfo.InvariantCulture)];
                for (var i = 0; i < command.Length; i++)
                {
                    var length = int.Parse((await reader.ReadLineAsync(_end.Token))![1..], CultureInfo.InvariantCulture);
                    var word = new char[length + 2]; // and its end
                    await reader.ReadBlockAsync(word, _end.Token);
                    command[i] = new(word, 0, length);
                }

                command[0] = command[0].ToUpperInvariant();
                if ((_answer(command) ?? Plain(command)) is not { Length: > 0 } answer)
                {
                    return;
                }

                await stream.WriteAsync(Encoding.Latin1.GetBytes(answer), _end.Token);
            }
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has disconnected, or the test ends.
        }
    }
}
