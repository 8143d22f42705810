using System.Net.Security;
using System.Net.Sockets;
using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Finds out why a client could not connect, which it tells apart badly: asks each server itself, one step after the
/// other, and says in a sentence which step failed. Sends the password only where the client would have sent it.
/// </summary>
internal static class Diagnosis
{
    private static readonly TimeSpan s_time = TimeSpan.FromSeconds(2);

    /// <summary>A sentence about the first server with which something is wrong.</summary>
    public static async Task<string> OfAsync(ConfigurationOptions configuration, Exception failure, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_time);
        foreach (var endpoint in configuration.EndPoints)
        {
            var where = endpoint is DnsEndPoint dns ? $"{dns.Host}:{dns.Port}" : $"{endpoint}";
            if (await DescribeProblemAsync(configuration, endpoint, where, limit.Token).ConfigureAwait(false) is { } complaint)
            {
                return complaint;
            }
        }

        return $"every server answers by now, but the client says: {Printable.Line(Secrets.WithoutArguments(failure.Message))}";
    }

    private static async Task<string?> DescribeProblemAsync(
        ConfigurationOptions configuration, EndPoint endpoint, string where, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(endpoint, cancellationToken).ConfigureAwait(false);
            using var plain = new NetworkStream(socket);
            if (!configuration.Ssl)
            {
                return await AskAsync(plain, configuration, where, cancellationToken).ConfigureAwait(false);
            }

            // One that the application checks itself is refused here too: the password is not sent, and the complaint
            // may be wrong about it.
            var (complaint, secured) = await SecureAsync(plain, configuration, endpoint, where, cancellationToken).ConfigureAwait(false);
            await using (secured.ConfigureAwait(false))
            {
                return complaint ?? await AskAsync(secured, configuration, where, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (SocketException refused)
        {
            return refused.SocketErrorCode switch
            {
                SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain =>
                    $"the host name in '{where}' is not known. Is it spelled right?",
                SocketError.ConnectionRefused => $"nothing listens at {where}. Is Redis running, and is the port right?",
                _ => $"{where} cannot be reached: {refused.Message}.",
            };
        }
        catch (AuthenticationException failure)
        {
            return $"{where} does not speak TLS as this client does ({failure.Message}). "
                + "Is this its TLS port? Without TLS, take ssl=true out.";
        }
        catch (IOException)
        {
            return configuration.Ssl
                ? $"{where} closed the connection during the TLS handshake. Is this its TLS port? Without TLS, take ssl=true out."
                : $"{where} closed the connection without an answer. Does it expect TLS (ssl=true)?";
        }
        catch (OperationCanceledException)
        {
            return configuration.Ssl
                ? $"{where} does not answer. Is this its TLS port? Without TLS, take ssl=true out. Does a firewall stand between?"
                : $"{where} does not answer. Is it a Redis, and does it expect TLS (ssl=true)? Does a firewall stand between?";
        }
    }

    private static async Task<(string? Complaint, SslStream Secured)> SecureAsync(
        Stream plain, ConfigurationOptions configuration, EndPoint endpoint, string where, CancellationToken cancellationToken)
    {
        string? complaint = null;
        var host = configuration.SslHost ?? (endpoint is DnsEndPoint dns ? dns.Host : $"{((IPEndPoint)endpoint).Address}");
        var secured = new SslStream(plain, leaveInnerStreamOpen: true);
        var tls = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            {
                complaint = errors == SslPolicyErrors.None ? null : Untrusted(certificate, chain, errors, host, where);
                return complaint is null;
            },
        };
        try
        {
            await secured.AuthenticateAsClientAsync(tls, cancellationToken).ConfigureAwait(false);
        }
        catch (AuthenticationException) when (complaint is not null)
        {
            // Refused above, and the complaint says why.
        }

        return (complaint, secured);
    }

    private static string Untrusted(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, string host, string where) =>
        errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
            ? $"the certificate of {where} ({certificate?.Subject}) was not made for '{host}'. "
              + "Name the host that it was made for, or set sslHost."
            : $"the certificate of {where} ({certificate?.Subject}) "
              + $"is not trusted: {string.Join(", ", chain?.ChainStatus.Select(s => s.Status) ?? [])}. "
              + "Trust its issuer on this machine, or check it yourself (RedisTransportOptions.ConfigureClient).";

    private static async Task<string?> AskAsync(
        Stream stream, ConfigurationOptions configuration, string where, CancellationToken cancellationToken)
    {
        string? refusal = null;
        if (configuration.Password is { Length: > 0 } password)
        {
            string[] login = configuration.User is { Length: > 0 } name ? ["AUTH", name, password] : ["AUTH", password];
            if (await CommandAsync(stream, cancellationToken, login).ConfigureAwait(false) is ['-', .. var refused])
            {
                var what = login.Length == 2 ? "the password" : $"the user '{Printable.Line(login[1])}' or the password";
                refusal = $"{where} refuses {what}: {Secrets.WithoutArguments(refused)}.";
                if (configuration.ServiceName is null or "")
                {
                    return refusal;
                }

                // The password is that of the servers, and a Sentinel may have none.
            }
        }

        return await CommandAsync(stream, cancellationToken, "PING").ConfigureAwait(false) switch
        {
            ['-', 'N', 'O', 'A', 'U', 'T', 'H', ..] => refusal ?? $"{where} asks for a password and none is given: add password=….",
            ['-', .. var error] => $"{where} answers with an error: {Printable.Line(Secrets.WithoutArguments(error))}.",
            "+PONG" => configuration.ServiceName is null or ""
                ? await OfWorkingServerAsync(stream, where, cancellationToken).ConfigureAwait(false)
                : null,
            // One that echoes what it is sent would tell the password here.
            _ when configuration.Password is { Length: > 0 } => $"{where} is not a Redis server: it does not answer PING as Redis does.",
            var other => $"{where} is not a Redis server: it answers PING with '{Printable.Line(other)}'.",
        };
    }

    // A Sentinel answers with the list of its services, a Redis with an error, and Twemproxy hangs up at what it does not pass.
    private static async Task<string?> OfWorkingServerAsync(Stream stream, string where, CancellationToken cancellationToken)
    {
        try
        {
            return await CommandAsync(stream, cancellationToken, "SENTINEL", "MASTERS").ConfigureAwait(false) is ['*', ..]
                ? $"{where} is a Sentinel, and no service is named. Add serviceName=NAME"
                : null;
        }
        catch (IOException)
        {
            return $"{where} answers PING and hangs up at other commands, as Twemproxy does, which has no publish/subscribe for "
                + "applications. Name the Redis servers themselves.";
        }
    }

    // The first line of the answer; everything that these commands answer has one line.
    private static async Task<string> CommandAsync(Stream stream, CancellationToken cancellationToken, params string[] parts)
    {
        var command = string.Concat([$"*{parts.Length}\r\n", .. parts.Select(p => $"${Encoding.UTF8.GetByteCount(p)}\r\n{p}\r\n")]);
        await stream.WriteAsync(Encoding.UTF8.GetBytes(command), cancellationToken).ConfigureAwait(false);
        var line = new byte[256];
        var length = 0;
        while (length < line.Length && line.AsSpan(0, length).IndexOf((byte)'\n') < 0)
        {
            var read = await stream.ReadAsync(line.AsMemory(length), cancellationToken).ConfigureAwait(false);
            length += read > 0 ? read : throw new EndOfStreamException();
        }

        return Encoding.UTF8.GetString(line, 0, length).Split('\r', '\n')[0];
    }
}
