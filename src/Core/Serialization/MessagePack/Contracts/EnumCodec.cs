using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace ServiceMesh;

/// <summary>
/// As JSON has it: its number, or its name where the contract has a converter for names. Which of both, and which name, is
/// asked of JSON once for each value and remembered.
/// </summary>
internal sealed class EnumCodec<T>(JsonForm form) : Codec<T>
    where T : struct, Enum
{
    // Flags have more combinations than anyone wants to remember.
    private const int MostRemembered = 64;

    private readonly ConcurrentDictionary<T, byte[]> _written = new();
    private ImmutableArray<(byte[] Encoded, T Value)> _read = [];

    // Threads that meet here find the same answer. One that is seen half set says that it is no number, which only means the
    // longer way through JSON, where numbers are numbers too.
    private bool? _isNumber;

    public override void Write(ref MessagePackWriter writer, T value)
    {
        if (_isNumber ?? Probe())
        {
            if (IsUnsigned)
            {
                writer.WriteInteger(Bits(value));
            }
            else
            {
                writer.WriteInteger((long)Bits(value));
            }
        }
        else if (_written.TryGetValue(value, out var encoded))
        {
            writer.WriteRaw(encoded);
        }
        else
        {
            JsonText.Write(ref writer, Remember(value));
        }
    }

    public override T Read(ref MessagePackReader reader)
    {
        if ((_isNumber ?? Probe()) && reader.NextKind == MessagePackKind.Integer)
        {
            var start = reader.Position;
            var bits = reader.ReadInteger(out var isAbove);
            var value = FromBits((ulong)bits);
            return Bits(value) == (ulong)bits && (IsUnsigned ? bits >= 0 || isAbove : !isAbove)
                ? value
                : throw MessagePackReader.OutOfRange($"in the range of {typeof(T).Name}", start);
        }

        foreach (var (encoded, value) in _read)
        {
            if (reader.TryReadRaw(encoded))
            {
                return value;
            }
        }

        return ReadAsJson(ref reader);
    }

    private static bool IsUnsigned => Type.GetTypeCode(typeof(T)) is TypeCode.Byte or TypeCode.UInt16 or TypeCode.UInt32 or TypeCode.UInt64;

    private T ReadAsJson(ref MessagePackReader reader)
    {
        var ahead = reader;
        var value = (T)form.Read(ref reader)!;
        // Only the name that is also written: of other spellings there is no end, and strangers choose them.
        if (_read.Length < MostRemembered && ahead.NextKind == MessagePackKind.String
            && ahead.ReadString() is var name && form.ToJson(value) is { ValueKind: JsonValueKind.String } json && json.ValueEquals(name))
        {
            var entry = (Encode(name), value);
            ImmutableInterlocked.Update(ref _read, (all, one) => all.Length < MostRemembered ? all.Add(one) : all, entry);
        }

        return value;
    }

    private JsonElement Remember(T value)
    {
        var json = form.ToJson(value);
        if (_written.Count < MostRemembered && json.ValueKind == JsonValueKind.String)
        {
            _written.TryAdd(value, Encode(json.GetString()!));
        }

        return json;
    }

    // A converter for names writes the numbers of values that have none, so one that has a name is asked about.
    private bool Probe()
    {
        var values = Enum.GetValuesAsUnderlyingType<T>();
        var sample = values.Length == 0 ? default : (T)Enum.ToObject(typeof(T), values.GetValue(0)!);
        var isNumber = form.ToJson(sample).ValueKind == JsonValueKind.Number;
        _isNumber = isNumber;
        return isNumber;
    }

    private static byte[] Encode(string text) => MessagePackText.Encode(text);

    private static ulong Bits(T value) => Type.GetTypeCode(typeof(T)) switch
    {
        TypeCode.SByte => (ulong)Unsafe.BitCast<T, sbyte>(value),
        TypeCode.Byte => Unsafe.BitCast<T, byte>(value),
        TypeCode.Int16 => (ulong)Unsafe.BitCast<T, short>(value),
        TypeCode.UInt16 => Unsafe.BitCast<T, ushort>(value),
        TypeCode.Int32 => (ulong)Unsafe.BitCast<T, int>(value),
        TypeCode.UInt32 => Unsafe.BitCast<T, uint>(value),
        _ => Unsafe.BitCast<T, ulong>(value),
    };

    private static T FromBits(ulong bits) => Unsafe.SizeOf<T>() switch
    {
        sizeof(byte) => Unsafe.BitCast<byte, T>((byte)bits),
        sizeof(ushort) => Unsafe.BitCast<ushort, T>((ushort)bits),
        sizeof(uint) => Unsafe.BitCast<uint, T>((uint)bits),
        _ => Unsafe.BitCast<ulong, T>(bits),
    };
}
