using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using DnsClient;

namespace ServiceMesh.Http.Tests;

/// <summary>A DNS server that says what the test tells it to, over UDP and TCP on one loopback port.</summary>
internal sealed class ScriptedDnsServer : IAsyncDisposable
{
    private readonly UdpClient _udp;
    private readonly TcpListener _tcp;
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Query, Task<byte[][]>> _script;
    private readonly Channel<Query> _received = Channel.CreateUnbounded<Query>();
    private readonly Task _loops;

    private ScriptedDnsServer(UdpClient udp, TcpListener tcp, Func<Query, Task<byte[][]>> script)
    {
        (_udp, _tcp, _script) = (udp, tcp, script);
        _loops = Task.WhenAll(ServeUdpAsync(), ServeTcpAsync());
    }

    public IPEndPoint EndPoint => (IPEndPoint)_udp.Client.LocalEndPoint!;

    /// <summary>All that was asked, in the order of arrival.</summary>
    public ConcurrentQueue<Query> Queries { get; } = new();

    /// <summary>Starts one that answers each query with these packets; none is silence.</summary>
    public static ScriptedDnsServer Start(Func<Query, byte[][]> script) => Start(query => Task.FromResult(script(query)));

    public static ScriptedDnsServer Start(Func<Query, Task<byte[][]>> script)
    {
        while (true)
        {
            var tcp = new TcpListener(IPAddress.Loopback, 0);
            tcp.Start();
            try
            {
                return new(new(new IPEndPoint(IPAddress.Loopback, ((IPEndPoint)tcp.LocalEndpoint).Port)), tcp, script);
            }
            catch (SocketException)
            {
                // Taken for UDP; the next one.
                tcp.Dispose();
            }
        }
    }

    /// <summary>Waits for the next query that no other call has seen.</summary>
    public async Task<Query> NextAsync() => await _received.Reader.ReadAsync();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _udp.Dispose();
        _tcp.Dispose();
        await _loops;
        _stop.Dispose();
    }

    private async Task ServeUdpAsync()
    {
        try
        {
            while (true)
            {
                var datagram = await _udp.ReceiveAsync(_stop.Token);
                _ = AnswerAsync(datagram);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task AnswerAsync(UdpReceiveResult datagram)
    {
        foreach (var packet in await ScriptAsync(new(datagram.Buffer, IsTcp: false, datagram.RemoteEndPoint.Port)))
        {
            await _udp.SendAsync(packet, datagram.RemoteEndPoint, _stop.Token);
        }
    }

    private async Task ServeTcpAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _tcp.AcceptTcpClientAsync(_stop.Token);
                client.NoDelay = true;
                var stream = client.GetStream();
                var length = new byte[2];
                await stream.ReadExactlyAsync(length, _stop.Token);
                var query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(query, _stop.Token);
                foreach (var packet in await ScriptAsync(new(query, IsTcp: true, 0)))
                {
                    // In pieces, as a stream may come.
                    byte[] framed = [(byte)(packet.Length >> 8), (byte)packet.Length, .. packet];
                    await stream.WriteAsync(framed.AsMemory(0, 6), _stop.Token);
                    await stream.WriteAsync(framed.AsMemory(6), _stop.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private Task<byte[][]> ScriptAsync(Query query)
    {
        Queries.Enqueue(query);
        _received.Writer.TryWrite(query);
        return _script(query);
    }

    public sealed record Query(byte[] Packet, bool IsTcp, int FromPort)
    {
        public string Name => PacketWriter.QuestionOf(Packet).Name;

        public QueryType Type => PacketWriter.QuestionOf(Packet).Type;

        public bool HasEdns => PacketWriter.HasEdns(Packet);

        public int Id => BinaryPrimitives.ReadUInt16BigEndian(Packet);

        public PacketWriter Answer(int code = 0, int flags = 0x8580) => PacketWriter.AnswerTo(Packet, code, flags);
    }
}
