using System.Net.Sockets;
using System.Net;
using System.Text;
using System.Threading.Channels;
using ServiceMesh.Conformance;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// A bare connection to Redis, as a program that is none of ours has it: commands out, answers back in order. What is
/// published to its subscriptions is kept apart, because it comes in between.
/// </summary>
internal sealed class RespConnection : IAsyncDisposable
{
    private readonly TcpClient _client = new();
    private readonly Channel<object?> _answers = Channel.CreateUnbounded<object?>();
    private readonly Channel<(string Channel, string Payload)> _published = Channel.CreateUnbounded<(string, string)>();
    private BufferedStream _stream = null!;
    private Task _reading = Task.CompletedTask;

    public static async Task<RespConnection> OpenAsync(int port)
    {
        var connection = new RespConnection();
        await connection._client.ConnectAsync(IPAddress.Loopback, port);
        connection._stream = new(connection._client.GetStream());
        connection._reading = Task.Run(connection.ReadAll);
        return connection;
    }

    /// <summary>Sends one command and returns its answer: text, a number, null, or an array of these.</summary>
    public async Task<object?> CommandAsync(params string[] words)
    {
        var command = new StringBuilder($"*{words.Length}\r\n");
        foreach (var word in words)
        {
            command.Append($"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        await _client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(command.ToString()));
        return await _answers.Reader.ReadAsync().AsTask().InTime();
    }

    /// <summary>The next line of <c>MONITOR</c>, which was sent before.</summary>
    public async Task<string> MonitoredAsync() => (string)(await _answers.Reader.ReadAsync().AsTask().InTime())!;

    /// <summary>The next message of a subscription.</summary>
    public Task<(string Channel, string Payload)> HearAsync() => _published.Reader.ReadAsync().AsTask().InTime();

    /// <summary>The next message, when one has come already.</summary>
    public bool TryHear(out (string Channel, string Payload) heard) => _published.Reader.TryRead(out heard);

    public async ValueTask DisposeAsync()
    {
        _client.Close();
        await _reading;
        _client.Dispose();
    }

    private void ReadAll()
    {
        try
        {
            while (true)
            {
                var answer = Read();
                if (answer is object?[] { Length: 3 } message && message[0] is "message")
                {
                    _published.Writer.TryWrite(((string)message[1]!, (string)message[2]!));
                }
                else if (answer is object?[] { Length: 4 } ofPattern && ofPattern[0] is "pmessage")
                {
                    _published.Writer.TryWrite(((string)ofPattern[2]!, (string)ofPattern[3]!));
                }
                else
                {
                    _answers.Writer.TryWrite(answer);
                }
            }
        }
        // A stream that is closed while it is read says it in one of three ways.
        catch (Exception closed) when (closed is IOException or ObjectDisposedException or NotSupportedException)
        {
            _answers.Writer.TryComplete(closed);
            _published.Writer.TryComplete(closed);
        }
    }

    private object? Read()
    {
        var line = ReadLine();
        return line[0] switch
        {
            '+' => line[1..],
            ':' => long.Parse(line[1..]),
            '$' => ReadText(int.Parse(line[1..])),
            '*' => Enumerable.Range(0, Math.Max(0, int.Parse(line[1..]))).Select(_ => Read()).ToArray(),
            _ => throw new IOException($"Redis says: {line}"),
        };
    }

    private string? ReadText(int length)
    {
        if (length < 0)
        {
            return null;
        }

        var bytes = new byte[length + 2];
        _stream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private string ReadLine()
    {
        var line = new StringBuilder();
        for (var next = _stream.ReadByte(); next != '\n'; next = _stream.ReadByte())
        {
            if (next < 0)
            {
                throw new IOException("Redis has closed the connection.");
            }

            line.Append((char)next);
        }

        return line.ToString().TrimEnd('\r');
    }
}
