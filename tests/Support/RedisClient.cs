using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace ServiceMesh.Support;

/// <summary>
/// A connection on which a test sends any commands to a Redis, one after the other. It is independent of the code under
/// test and implements only the part of the protocol that tests need.
/// </summary>
public sealed class RedisClient : IDisposable
{
    private readonly TcpClient _client;
    private readonly Stream _stream;
    private readonly BufferedStream _answers;

    private RedisClient(TcpClient client, Stream stream)
    {
        _client = client;
        _stream = stream;
        _answers = new(stream);
    }

    /// <param name="port">The port on loopback.</param>
    /// <param name="certificates">The certificates of the server, when it uses TLS.</param>
    public static async Task<RedisClient> ConnectAsync(int port, TestCertificates? certificates = null)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, port);
        if (certificates is null)
        {
            return new(client, client.GetStream());
        }

        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPemFile(certificates.Authority);
        var encrypted = new SslStream(client.GetStream());
        await encrypted.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = trust });
        return new(client, encrypted);
    }

    /// <summary>Sends one command and returns its answer: a string, a long, null, or an array of these.</summary>
    /// <param name="words">The command and its arguments, each a string or bytes.</param>
    /// <exception cref="InvalidOperationException">Redis answered with an error.</exception>
    public async Task<object?> SendAsync(params object[] words)
    {
        using var command = new MemoryStream();
        command.Write(Encoding.UTF8.GetBytes($"*{words.Length}\r\n"));
        foreach (var word in words)
        {
            var bytes = word as byte[] ?? Encoding.UTF8.GetBytes((string)word);
            command.Write(Encoding.UTF8.GetBytes($"${bytes.Length}\r\n"));
            command.Write(bytes);
            command.Write("\r\n"u8);
        }

        await _stream.WriteAsync(command.ToArray());
        return await ReadAsync();
    }

    public void Dispose()
    {
        _answers.Dispose();
        _stream.Dispose();
        _client.Dispose();
    }

    private async Task<object?> ReadAsync()
    {
        var line = await ReadLineAsync();
        var rest = line[1..];
        switch (line[0])
        {
            case '+':
                return rest;
            case '-':
                throw new InvalidOperationException($"Redis answered: {rest}");
            case ':':
                return long.Parse(rest, CultureInfo.InvariantCulture);
            case '$' when rest == "-1":
                return null;
            case '$':
                var bytes = new byte[int.Parse(rest, CultureInfo.InvariantCulture) + 2];
                await _answers.ReadExactlyAsync(bytes);
                return Encoding.UTF8.GetString(bytes, 0, bytes.Length - 2);
            case '*':
                var items = new object?[int.Parse(rest, CultureInfo.InvariantCulture)];
                for (var i = 0; i < items.Length; i++)
                {
                    items[i] = await ReadAsync();
                }

                return items;
            default:
                throw new InvalidOperationException($"This is not a reply of Redis: '{line}'.");
        }
    }

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (true)
        {
            await _answers.ReadExactlyAsync(one);
            if (one[0] == '\n')
            {
                return line.ToString(0, line.Length - 1);
            }

            line.Append((char)one[0]);
        }
    }
}
