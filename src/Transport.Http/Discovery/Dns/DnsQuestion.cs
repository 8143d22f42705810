using System.Buffers.Binary;

namespace ServiceMesh.Http;

/// <summary>What is asked, as bytes: pure, no I/O. Immutable.</summary>
internal sealed class DnsQuestion
{
    private const int HeaderLength = 12;

    // What a datagram may carry without being torn apart on its way (DNS flag day 2020).
    private const ushort LargestDatagram = 1232;

    private readonly byte[] _wire;

    /// <exception cref="ArgumentException">The name is no DNS name.</exception>
    public DnsQuestion(string name, DnsType type)
    {
        Name = name.TrimEnd('.');
        Type = type;
        var labels = DnsName.ToWire(name);
        _wire = new byte[labels.Length + 4];
        labels.CopyTo(_wire, 0);
        BinaryPrimitives.WriteUInt16BigEndian(_wire.AsSpan(labels.Length), (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(_wire.AsSpan(labels.Length + 2), 1);
    }

    /// <summary>The name, without a trailing dot.</summary>
    public string Name { get; }

    public DnsType Type { get; }

    /// <summary>The query's packet.</summary>
    /// <param name="id">A number that nobody can guess.</param>
    /// <param name="edns">Whether to say that larger answers are welcome, which some old servers do not understand.</param>
    public byte[] ToPacket(ushort id, bool edns)
    {
        var packet = new byte[HeaderLength + _wire.Length + (edns ? 11 : 0)];
        BinaryPrimitives.WriteUInt16BigEndian(packet, id);
        packet[2] = 0x01; // Recursion is desired.
        packet[5] = 1;
        packet[11] = (byte)(edns ? 1 : 0);
        _wire.CopyTo(packet, HeaderLength);
        if (edns)
        {
            var option = packet.AsSpan(HeaderLength + _wire.Length);
            BinaryPrimitives.WriteUInt16BigEndian(option[1..], (ushort)DnsType.Opt);
            BinaryPrimitives.WriteUInt16BigEndian(option[3..], LargestDatagram);
        }

        return packet;
    }

    /// <summary>
    /// Whether a packet is the answer to this question: its id, that it is an answer, and the question repeated. A server
    /// that did not understand the question may leave it out.
    /// </summary>
    public bool IsAnsweredBy(ReadOnlySpan<byte> packet, ushort id)
    {
        if (packet.Length < HeaderLength || BinaryPrimitives.ReadUInt16BigEndian(packet) != id || (packet[2] & 0xF8) != 0x80)
        {
            return false;
        }

        var questions = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        return questions == 0
            ? (packet[3] & 0x0F) is not (int)DnsResponseCode.NoError and not (int)DnsResponseCode.NameError
            : questions == 1 && packet.Length >= HeaderLength + _wire.Length && Repeats(packet.Slice(HeaderLength, _wire.Length));
    }

    public override string ToString() => $"{Type.ToString().ToUpperInvariant()} {Name}";

    // Some servers change the case of names. Bytes of lengths, type and class are below the letters.
    private bool Repeats(ReadOnlySpan<byte> question)
    {
        for (var i = 0; i < question.Length; i++)
        {
            if (question[i] != _wire[i] && (!char.IsAsciiLetter((char)_wire[i]) || (question[i] | 0x20) != (_wire[i] | 0x20)))
            {
                return false;
            }
        }

        return true;
    }
}
