using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace ServiceMesh.Redis;

/// <summary>
/// Reads the fields of a native frame. Once a field does not fit, <see cref="IsBroken"/> stays true and every further
/// field reads as empty, so a frame is checked once at its end.
/// </summary>
internal ref struct FrameReader(ReadOnlySpan<byte> frame)
{
    private readonly ReadOnlySpan<byte> _frame = frame;
    private int _at;

    public bool IsBroken { get; private set; }

    public readonly int Position => _at;

    public byte Byte() => Take(1) is [var value] ? value : (byte)0;

    public long Int64() => Take(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : 0;

    public uint Varint()
    {
        uint value = 0;
        for (var shift = 0; shift < 35; shift += 7)
        {
            var next = Byte();
            value |= (uint)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        IsBroken = true;
        return 0;
    }

    public string Text()
    {
        var length = Varint();
        if (length > _frame.Length - _at)
        {
            IsBroken = true;
        }

        var bytes = IsBroken ? default : Take((int)length);
        if (!Utf8.IsValid(bytes))
        {
            IsBroken = true;
            return "";
        }

        return Encoding.UTF8.GetString(bytes);
    }

    public Headers Headers()
    {
        var count = Varint();
        if (count == 0)
        {
            return ServiceMesh.Headers.Empty;
        }

        var pairs = new List<(string, string)>();
        for (var i = 0; i < count && !IsBroken; i++)
        {
            pairs.Add((Text(), Text()));
        }

        if (ServiceMesh.Headers.TryRead(pairs, out var headers))
        {
            return headers;
        }

        IsBroken = true;
        return ServiceMesh.Headers.Empty;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (IsBroken || count > _frame.Length - _at)
        {
            IsBroken = true;
            return default;
        }

        var taken = _frame.Slice(_at, count);
        _at += count;
        return taken;
    }
}
