using System.Collections.Immutable;
using System.Net;
using System.Text;

namespace ServiceMesh.Http;

/// <summary>An answer, read from a packet. Pure: no I/O. Immutable.</summary>
internal sealed class DnsMessage
{
    private const ushort Internet = 1;

    private DnsMessage(ushort flags) => Flags = flags;

    /// <summary>What the server said, with the upper bits that EDNS adds.</summary>
    public DnsResponseCode Code { get; private set; }

    /// <summary>The answer did not fit: ask again over TCP. No records were read.</summary>
    public bool IsTruncated => (Flags & 0x0200) != 0;

    /// <summary>The server is responsible for the name, or asks others on one's behalf; otherwise an empty answer says nothing.</summary>
    public bool CanTell => (Flags & 0x0480) != 0;

    public ImmutableArray<DnsRecord> Answers { get; private set; } = [];

    public ImmutableArray<DnsRecord> Authority { get; private set; } = [];

    public ImmutableArray<DnsRecord> Additional { get; private set; } = [];

    private ushort Flags { get; }

    /// <summary>Reads a packet.</summary>
    /// <exception cref="DnsFormatException">It is no DNS message.</exception>
    public static DnsMessage Parse(ReadOnlySpan<byte> packet)
    {
        var reader = new DnsReader(packet);
        _ = reader.ReadUInt16();
        var flags = reader.ReadUInt16();
        var message = new DnsMessage(flags) { Code = (DnsResponseCode)(flags & 0x000F) };
        var (questions, answers, authority, additional) =
            (reader.ReadUInt16(), reader.ReadUInt16(), reader.ReadUInt16(), reader.ReadUInt16());
        for (var i = 0; i < questions; i++)
        {
            _ = reader.ReadName();
            _ = reader.ReadUInt32();
        }

        // What is left of a truncated answer may end anywhere.
        if (!message.IsTruncated)
        {
            message.Answers = message.ReadRecords(ref reader, answers);
            message.Authority = message.ReadRecords(ref reader, authority);
            message.Additional = message.ReadRecords(ref reader, additional);
        }

        return message;
    }

    // The count comes from outside: it limits the loop, it does not size a buffer.
    private ImmutableArray<DnsRecord> ReadRecords(ref DnsReader reader, int count)
    {
        var records = ImmutableArray.CreateBuilder<DnsRecord>();
        for (var i = 0; i < count; i++)
        {
            if (ReadRecord(ref reader) is { } record)
            {
                records.Add(record);
            }
        }

        return records.ToImmutable();
    }

    /// <summary>Reads one record; null when it is of a type or class that is of no use here.</summary>
    private DnsRecord? ReadRecord(ref DnsReader reader)
    {
        var name = reader.ReadName();
        var type = (DnsType)reader.ReadUInt16();
        var recordClass = reader.ReadUInt16();
        if (type == DnsType.Opt)
        {
            // RFC 6891: the first byte of the time to live has the upper bits of the code.
            Code = (DnsResponseCode)((int)Code | (reader.ReadByte() << 4));
            _ = reader.ReadBytes(3);
            _ = reader.ReadBytes(reader.ReadUInt16());
            return null;
        }

        var timeToLive = reader.ReadTimeToLive();
        var length = reader.ReadUInt16();
        var end = reader.Position + length;
        if (recordClass != Internet)
        {
            _ = reader.ReadBytes(length);
            return null;
        }

        DnsRecord? record = type switch
        {
            DnsType.A => new AddressRecord(name, timeToLive, ReadAddress(ref reader, length, 4)),
            DnsType.Aaaa => new AddressRecord(name, timeToLive, ReadAddress(ref reader, length, 16)),
            DnsType.Cname => new AliasRecord(name, timeToLive, reader.ReadName()),
            DnsType.Srv => ReadService(ref reader, name, timeToLive),
            DnsType.Txt => new TextRecord(name, timeToLive, ReadText(ref reader, end)),
            DnsType.Soa => ReadAuthority(ref reader, name, timeToLive),
            _ => Skip(ref reader, length),
        };
        return reader.Position == end
            ? record
            : throw new DnsFormatException($"The {type} record of '{name}' says that it has {length} bytes and ends at {reader.Position}, not {end}.");
    }

    private static IPAddress ReadAddress(ref DnsReader reader, int length, int expected) => length == expected
        ? new(reader.ReadBytes(length))
        : throw new DnsFormatException($"An address has {length} bytes and not {expected}.");

    // RFC 2782 forbids a compressed target and servers send it all the same. Fields are read in the order of the packet.
    private static ServiceRecord ReadService(ref DnsReader reader, string name, TimeSpan timeToLive)
    {
        var (priority, weight, port) = (reader.ReadUInt16(), reader.ReadUInt16(), reader.ReadUInt16());
        return new(name, timeToLive, priority, weight, port, reader.ReadName());
    }

    private static string ReadText(ref DnsReader reader, int end)
    {
        var bytes = new List<byte>();
        while (reader.Position < end)
        {
            bytes.AddRange(reader.ReadBytes(reader.ReadByte()));
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static AuthorityRecord ReadAuthority(ref DnsReader reader, string name, TimeSpan timeToLive)
    {
        _ = reader.ReadName();
        _ = reader.ReadName();
        _ = reader.ReadBytes(16);
        return new(name, timeToLive, reader.ReadTimeToLive());
    }

    private static DnsRecord? Skip(ref DnsReader reader, int length)
    {
        _ = reader.ReadBytes(length);
        return null;
    }
}
