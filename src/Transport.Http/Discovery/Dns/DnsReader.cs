using System.Buffers.Binary;
using System.Text;

namespace ServiceMesh.Http;

/// <summary>
/// Reads a packet from front to back. Nothing in a packet is trusted: every read checks the end, and what does not fit is
/// a <see cref="DnsFormatException"/>.
/// </summary>
internal ref struct DnsReader(ReadOnlySpan<byte> packet)
{
    // Pointers go strictly backward, so they end anyway; more than this is no honest compression.
    private const int MostJumps = 32;

    private readonly ReadOnlySpan<byte> _packet = packet;

    public int Position { get; private set; }

    public byte ReadByte() => ReadBytes(1)[0];

    public ushort ReadUInt16() => BinaryPrimitives.ReadUInt16BigEndian(ReadBytes(2));

    public uint ReadUInt32() => BinaryPrimitives.ReadUInt32BigEndian(ReadBytes(4));

    public ReadOnlySpan<byte> ReadBytes(int count)
    {
        if (count > _packet.Length - Position)
        {
            throw new DnsFormatException($"The packet ends at byte {_packet.Length}, within a field that begins at {Position}.");
        }

        var bytes = _packet.Slice(Position, count);
        Position += count;
        return bytes;
    }

    /// <summary>Reads a time to live; one with the highest bit set is 0 (RFC 2181, section 8).</summary>
    public TimeSpan ReadTimeToLive() => ReadUInt32() is var seconds && seconds <= int.MaxValue ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;

    /// <summary>Reads a name, following pointers (RFC 1035, section 4.1.4).</summary>
    public string ReadName()
    {
        var name = new StringBuilder();
        var length = 1;
        var jumps = 0;
        var after = -1;
        var earliest = Position;
        while (true)
        {
            var head = ReadByte();
            if (head == 0)
            {
                break;
            }

            if ((head & 0xC0) == 0xC0)
            {
                var target = ((head & 0x3F) << 8) | ReadByte();
                after = after < 0 ? Position : after;
                if (target >= earliest || ++jumps > MostJumps)
                {
                    throw new DnsFormatException($"The name at byte {after - 2} does not point backward, or {MostJumps} times and more.");
                }

                earliest = Position = target;
                continue;
            }

            if ((head & 0xC0) != 0 || (length += head + 1) > DnsName.LongestName)
            {
                throw new DnsFormatException($"The name before byte {Position} has a bad label or is longer than {DnsName.LongestName} bytes.");
            }

            DnsName.AppendLabel(name, ReadBytes(head));
        }

        Position = after < 0 ? Position : after;
        return name.ToString();
    }
}
