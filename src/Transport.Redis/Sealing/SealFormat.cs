using System.Buffers.Binary;

namespace ServiceMesh.Redis;

/// <summary>
/// The sealed format that <c>docs/wire.md</c> describes: a head in the clear, a tag, and what was sealed. Sealing and opening share it.
/// Pure.
/// </summary>
internal static class SealFormat
{
    /// <summary>The first byte. Neither ASCII, nor the beginning of UTF-8, nor that of a packet that is not sealed.</summary>
    public const byte Mark = 0xB6;

    public const byte Version = 1;

    public const int TagBytes = 16;

    public const int NonceBytes = 12;

    /// <summary>What is in the clear and bound to the rest: mark, version, name of the key, incarnation, number and instant.</summary>
    public const int HeadBytes = 2 + sizeof(uint) + IncarnationBytes + (2 * sizeof(long));

    /// <summary>How much longer a sealed packet is.</summary>
    public const int Overhead = HeadBytes + TagBytes;

    public const int IncarnationBytes = 16;

    private const int KeyAt = 2;
    private const int IncarnationAt = KeyAt + sizeof(uint);
    private const int NumberAt = IncarnationAt + IncarnationBytes;
    private const int InstantAt = NumberAt + sizeof(long);

    public static void WriteHead(Span<byte> to, in SealHead head)
    {
        (to[0], to[1]) = (Mark, Version);
        BinaryPrimitives.WriteUInt32LittleEndian(to[KeyAt..], head.Key);
        BinaryPrimitives.WriteUInt128LittleEndian(to[IncarnationAt..], head.Incarnation);
        BinaryPrimitives.WriteInt64LittleEndian(to[NumberAt..], head.Number);
        BinaryPrimitives.WriteInt64LittleEndian(to[InstantAt..], head.Instant);
    }

    /// <summary>False for what is not sealed, or too short, or of another version.</summary>
    public static bool TryReadHead(ReadOnlySpan<byte> bytes, out SealHead head)
    {
        head = default;
        if (bytes.Length < Overhead || !IsSealed(bytes) || bytes[1] != Version)
        {
            return false;
        }

        head = new(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[KeyAt..]),
            BinaryPrimitives.ReadUInt128LittleEndian(bytes[IncarnationAt..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[NumberAt..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[InstantAt..]));
        return true;
    }

    public static bool IsSealed(ReadOnlySpan<byte> bytes) => !bytes.IsEmpty && bytes[0] == Mark;
}

/// <summary>What a sealed packet says in the clear. It is true when the packet has been opened.</summary>
/// <param name="Key">The name of the key.</param>
/// <param name="Incarnation">Drawn at random by each bus that starts; with the key, it makes the key of that bus.</param>
/// <param name="Number">Rises with each packet of an incarnation: the nonce, and the order.</param>
/// <param name="Instant">When it was sealed, in milliseconds of the mesh's clock; 0 for what is kept.</param>
internal readonly record struct SealHead(uint Key, UInt128 Incarnation, long Number, long Instant);
