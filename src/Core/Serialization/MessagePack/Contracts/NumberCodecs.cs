using System.Globalization;

namespace ServiceMesh;

internal sealed class BooleanCodec : Codec<bool>
{
    public override void Write(ref MessagePackWriter writer, bool value) => writer.WriteBoolean(value);

    public override bool Read(ref MessagePackReader reader) => reader.ReadBoolean();
}

internal sealed class Int32Codec : Codec<int>
{
    public override void Write(ref MessagePackWriter writer, int value) => writer.WriteInteger((long)value);

    public override int Read(ref MessagePackReader reader) => reader.ReadInt32();
}

internal sealed class Int64Codec : Codec<long>
{
    public override void Write(ref MessagePackWriter writer, long value) => writer.WriteInteger(value);

    public override long Read(ref MessagePackReader reader) => reader.ReadInt64();
}

internal sealed class UInt64Codec : Codec<ulong>
{
    public override void Write(ref MessagePackWriter writer, ulong value) => writer.WriteInteger(value);

    public override ulong Read(ref MessagePackReader reader) => reader.ReadUInt64();
}

internal sealed class ByteCodec : Codec<byte>
{
    public override void Write(ref MessagePackWriter writer, byte value) => writer.WriteInteger((ulong)value);

    public override byte Read(ref MessagePackReader reader) => (byte)Ranged.Read(ref reader, byte.MinValue, byte.MaxValue);
}

internal sealed class SByteCodec : Codec<sbyte>
{
    public override void Write(ref MessagePackWriter writer, sbyte value) => writer.WriteInteger((long)value);

    public override sbyte Read(ref MessagePackReader reader) => (sbyte)Ranged.Read(ref reader, sbyte.MinValue, sbyte.MaxValue);
}

internal sealed class Int16Codec : Codec<short>
{
    public override void Write(ref MessagePackWriter writer, short value) => writer.WriteInteger((long)value);

    public override short Read(ref MessagePackReader reader) => (short)Ranged.Read(ref reader, short.MinValue, short.MaxValue);
}

internal sealed class UInt16Codec : Codec<ushort>
{
    public override void Write(ref MessagePackWriter writer, ushort value) => writer.WriteInteger((ulong)value);

    public override ushort Read(ref MessagePackReader reader) => (ushort)Ranged.Read(ref reader, ushort.MinValue, ushort.MaxValue);
}

internal sealed class UInt32Codec : Codec<uint>
{
    public override void Write(ref MessagePackWriter writer, uint value) => writer.WriteInteger((ulong)value);

    public override uint Read(ref MessagePackReader reader) => (uint)Ranged.Read(ref reader, uint.MinValue, uint.MaxValue);
}

file static class Ranged
{
    public static long Read(ref MessagePackReader reader, long min, long max)
    {
        var start = reader.Position;
        var value = reader.ReadInteger(out var isAbove);
        return !isAbove && value >= min && value <= max ? value : throw MessagePackReader.OutOfRange($"from {min} to {max}", start);
    }
}

internal sealed class SingleCodec : Codec<float>
{
    public override void Write(ref MessagePackWriter writer, float value) => writer.WriteFloat32(value);

    public override float Read(ref MessagePackReader reader) => reader.ReadSingle();
}

internal sealed class DoubleCodec : Codec<double>
{
    public override void Write(ref MessagePackWriter writer, double value) => writer.WriteFloat64(value);

    public override double Read(ref MessagePackReader reader) => reader.ReadDouble();
}

/// <summary>As float32, which holds every half.</summary>
internal sealed class HalfCodec : Codec<Half>
{
    public override void Write(ref MessagePackWriter writer, Half value) => writer.WriteFloat32((float)value);

    public override Half Read(ref MessagePackReader reader) => (Half)reader.ReadDouble();
}

/// <summary>
/// As text: it has more digits than any float, and 1.10 is not 1.1. Integers and floats are understood as well, a float
/// by its shortest digits, as in JSON.
/// </summary>
internal sealed class DecimalCodec : Codec<decimal>
{
    private const int LongestText = 64;

    public override void Write(ref MessagePackWriter writer, decimal value)
    {
        Span<char> text = stackalloc char[LongestText];
        value.TryFormat(text, out var length, provider: CultureInfo.InvariantCulture);
        writer.WriteString(text[..length]);
    }

    public override decimal Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        switch (reader.NextKind)
        {
            case MessagePackKind.Integer:
                var integer = reader.ReadInteger(out var isAbove);
                return isAbove ? (ulong)integer : integer;
            case MessagePackKind.Float:
                // As few digits as a float32 has: 0.1 and not 0.10000000149011612.
                var text = reader.TryReadFloat32(out var single)
                    ? single.ToString("R", CultureInfo.InvariantCulture)
                    : reader.ReadDouble().ToString("R", CultureInfo.InvariantCulture);
                return Parse(text, start);
            case MessagePackKind.Extension:
                return Parse(NumberText.Read(ref reader), start);
            default:
                return Parse(reader.ReadString(), start);
        }
    }

    private static decimal Parse(string text, long start) =>
        decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw MessagePackReader.OutOfRange("a decimal number", start);
}

/// <summary>As an integer where 64 bits hold it, as text where they do not.</summary>
internal sealed class Int128Codec : Codec<Int128>
{
    public override void Write(ref MessagePackWriter writer, Int128 value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            writer.WriteInteger((long)value);
        }
        else if (value >= 0 && value <= ulong.MaxValue)
        {
            writer.WriteInteger((ulong)value);
        }
        else
        {
            writer.WriteString(value.ToString(CultureInfo.InvariantCulture));
        }
    }

    public override Int128 Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        if (reader.NextKind == MessagePackKind.Integer)
        {
            var integer = reader.ReadInteger(out var isAbove);
            return isAbove ? (ulong)integer : integer;
        }

        var text = reader.NextKind == MessagePackKind.Extension ? NumberText.Read(ref reader) : reader.ReadString();
        return Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw MessagePackReader.OutOfRange("a 128-bit integer", start);
    }
}

/// <summary>As <see cref="Int128Codec"/>.</summary>
internal sealed class UInt128Codec : Codec<UInt128>
{
    public override void Write(ref MessagePackWriter writer, UInt128 value)
    {
        if (value <= ulong.MaxValue)
        {
            writer.WriteInteger((ulong)value);
        }
        else
        {
            writer.WriteString(value.ToString(CultureInfo.InvariantCulture));
        }
    }

    public override UInt128 Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        if (reader.NextKind == MessagePackKind.Integer)
        {
            return reader.ReadUInt64();
        }

        var text = reader.NextKind == MessagePackKind.Extension ? NumberText.Read(ref reader) : reader.ReadString();
        return UInt128.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw MessagePackReader.OutOfRange("an unsigned 128-bit integer", start);
    }
}
