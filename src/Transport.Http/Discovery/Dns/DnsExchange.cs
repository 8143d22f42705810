using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace ServiceMesh.Http;

/// <summary>One question to one server: over UDP, and over TCP when the answer does not fit.</summary>
internal static class DnsExchange
{
    /// <summary>Asks. A server that does not understand EDNS is asked once more without it.</summary>
    /// <exception cref="SocketException">The server cannot be reached.</exception>
    /// <exception cref="IOException">The server closed the connection.</exception>
    /// <exception cref="DnsFormatException">The answer is garbage.</exception>
    /// <exception cref="OperationCanceledException">The time is up.</exception>
    public static async Task<DnsMessage> AskAsync(IPEndPoint server, DnsQuestion question, bool edns, CancellationToken cancellationToken)
    {
        var answer = await AskOnceAsync(server, question, edns, cancellationToken).ConfigureAwait(false);
        return edns && answer.Code is DnsResponseCode.FormatError or DnsResponseCode.NotImplemented or DnsResponseCode.BadVersion
            ? await AskOnceAsync(server, question, edns: false, cancellationToken).ConfigureAwait(false)
            : answer;
    }

    private static async Task<DnsMessage> AskOnceAsync(IPEndPoint server, DnsQuestion question, bool edns, CancellationToken cancellationToken)
    {
        // An id that nobody can guess, on a port of its own, is what keeps others from answering in the server's place (RFC 5452).
        var id = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1);
        var query = question.ToPacket(id, edns);
        var answer = DnsMessage.Parse(await OverUdpAsync(server, question, id, query, cancellationToken).ConfigureAwait(false));
        if (!answer.IsTruncated)
        {
            return answer;
        }

        answer = DnsMessage.Parse(await OverTcpAsync(server, question, id, query, cancellationToken).ConfigureAwait(false));
        return !answer.IsTruncated ? answer : throw new DnsFormatException("The answer is truncated over TCP as well.");
    }

    private static async Task<byte[]> OverUdpAsync(
        IPEndPoint server, DnsQuestion question, ushort id, byte[] query, CancellationToken cancellationToken)
    {
        // Connected: the system drops datagrams from others, and tells when nobody listens there.
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        await socket.SendAsync(query, cancellationToken).ConfigureAwait(false);
        var buffer = new byte[ushort.MaxValue];
        while (true)
        {
            var length = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);

            // What is not the answer may be somebody's guess; the answer itself may still come.
            if (question.IsAnsweredBy(buffer.AsSpan(0, length), id))
            {
                return buffer[..length];
            }
        }
    }

    private static async Task<byte[]> OverTcpAsync(
        IPEndPoint server, DnsQuestion question, ushort id, byte[] query, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        using var stream = new NetworkStream(socket);

        // Length and message in one write: some servers read them only together (RFC 7766, section 8).
        var framed = new byte[query.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)query.Length);
        query.CopyTo(framed, 2);
        await stream.WriteAsync(framed, cancellationToken).ConfigureAwait(false);
        var length = new byte[2];
        await stream.ReadExactlyAsync(length, cancellationToken).ConfigureAwait(false);
        var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(answer, cancellationToken).ConfigureAwait(false);
        return question.IsAnsweredBy(answer, id)
            ? answer
            : throw new DnsFormatException("What came over TCP answers another question.");
    }
}
