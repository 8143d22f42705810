using System.Buffers.Binary;
using System.Net;
using System.Text;
using DnsClient;

namespace ServiceMesh.Http.Tests;

/// <summary>Writes DNS packets by hand, right ones and wrong ones.</summary>
internal sealed class PacketWriter
{
    private readonly List<byte> _bytes = [.. new byte[12]];

    public int Length => _bytes.Count;

    /// <summary>The answer to a query, which it repeats: id and question.</summary>
    public static PacketWriter AnswerTo(byte[] query, int code = 0, int flags = 0x8580)
    {
        var writer = new PacketWriter();
        writer.Id(BinaryPrimitives.ReadUInt16BigEndian(query)).Flags(flags | code);
        writer._bytes[5] = 1;
        writer._bytes.AddRange(query[12..QuestionEnd(query)]);
        return writer;
    }

    /// <summary>The question of a query as text.</summary>
    public static (string Name, QueryType Type) QuestionOf(byte[] query)
    {
        var labels = new List<string>();
        var at = 12;
        for (; query[at] != 0; at += query[at] + 1)
        {
            labels.Add(Encoding.ASCII.GetString(query, at + 1, query[at]));
        }

        return (string.Join('.', labels), (QueryType)BinaryPrimitives.ReadUInt16BigEndian(query.AsSpan(at + 1)));
    }

    public static bool HasEdns(byte[] query) => query[11] == 1;

    public PacketWriter Id(int id) => Put(0, id);

    public PacketWriter Flags(int flags) => Put(2, flags);

    public PacketWriter Question(string name, QueryType type)
    {
        _bytes[5]++;
        return Name(name).Number(2, (int)type).Number(2, 1);
    }

    public PacketWriter A(string name, string address, int ttl = 60) =>
        Record(name, QueryType.A, ttl, w => w.Raw(IPAddress.Parse(address).GetAddressBytes()));

    public PacketWriter Aaaa(string name, string address, int ttl = 60) =>
        Record(name, QueryType.AAAA, ttl, w => w.Raw(IPAddress.Parse(address).GetAddressBytes()));

    public PacketWriter Cname(string name, string target, int ttl = 60) => Record(name, QueryType.CNAME, ttl, w => w.Name(target));

    public PacketWriter Srv(string name, int priority, int weight, int port, string target, int ttl = 60) =>
        Record(name, QueryType.SRV, ttl, w => w.Number(2, priority).Number(2, weight).Number(2, port).Name(target));

    public PacketWriter Txt(string name, params string[] strings) => Record(name, QueryType.TXT, 60, w =>
    {
        foreach (var text in strings)
        {
            w.Number(1, Encoding.UTF8.GetByteCount(text)).Raw(Encoding.UTF8.GetBytes(text));
        }
    });

    /// <summary>In the authority section.</summary>
    public PacketWriter Soa(string zone, int ttl, int minimum)
    {
        Record(zone, QueryType.SOA, ttl, w => w.Name("ns").Name("admin").Raw(new byte[16]).Number(4, minimum));
        _bytes[7]--;
        _bytes[9]++;
        return this;
    }

    /// <summary>What is written in there counts as additional.</summary>
    public PacketWriter Additional(Action<PacketWriter> write)
    {
        var before = _bytes[7];
        write(this);
        _bytes[11] += (byte)(_bytes[7] - before);
        _bytes[7] = before;
        return this;
    }

    public PacketWriter Record(string name, QueryType type, long ttl, Action<PacketWriter> data, int recordClass = 1)
    {
        _bytes[7]++;
        Name(name).Number(2, (int)type).Number(2, recordClass).Number(4, ttl).Number(2, 0);
        var start = _bytes.Count;
        data(this);
        return Put(start - 2, _bytes.Count - start);
    }

    public PacketWriter Name(string name)
    {
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            Number(1, label.Length).Raw(Encoding.ASCII.GetBytes(label));
        }

        return Number(1, 0);
    }

    public PacketWriter Number(int bytes, long value)
    {
        for (var shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        {
            _bytes.Add((byte)(value >> shift));
        }

        return this;
    }

    public PacketWriter Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <summary>Overwrites two bytes.</summary>
    public PacketWriter Put(int at, int value)
    {
        (_bytes[at], _bytes[at + 1]) = ((byte)(value >> 8), (byte)value);
        return this;
    }

    public byte[] ToArray() => [.. _bytes];

    private static int QuestionEnd(byte[] query) => 12 + QuestionOf(query).Name.Length + 2 + 4;
}
