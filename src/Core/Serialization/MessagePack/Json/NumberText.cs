using System.Globalization;
using System.Text;

namespace ServiceMesh;

/// <summary>
/// JSON numbers in MessagePack. An integer of 64 bits is one; what a float64 gives back, equal by value, is one; any other
/// number is the extension <see cref="MessagePackCode.NumberTextType"/> with its text.
/// </summary>
internal static class NumberText
{
    // Every decimal number of so many digits comes back from a float64 (DBL_DIG).
    private const int DigitsOfDouble = 15;

    public static void Write(ref MessagePackWriter writer, ReadOnlySpan<byte> number)
    {
        var isInteger = number.IndexOfAny("."u8[0], "e"u8[0], "E"u8[0]) < 0;
        // "-0" has a sign that no integer has.
        if (isInteger && !(number[0] == '-' && number[1] == '0') && long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var signed))
        {
            writer.WriteInteger(signed);
        }
        else if (isInteger && ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var unsigned))
        {
            writer.WriteInteger(unsigned);
        }
        else if (double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && IsExact(number, value))
        {
            writer.WriteFloat64(value);
        }
        else
        {
            writer.WriteExtension(MessagePackCode.NumberTextType, number);
        }
    }

    public static string Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        var text = reader.ReadExtension(out var type);
        return type == MessagePackCode.NumberTextType && IsNumber(text)
            ? Encoding.ASCII.GetString(text)
            : throw MessagePackReader.OutOfRange($"a number: an extension of type {type}", start);
    }

    private static bool IsExact(ReadOnlySpan<byte> number, double value)
    {
        if (!double.IsFinite(value) || (value == 0 && number.IndexOfAnyInRange("1"u8[0], "9"u8[0]) >= 0))
        {
            return false;
        }

        Span<byte> shortest = stackalloc byte[32];
        value.TryFormat(shortest, out var length, "R", CultureInfo.InvariantCulture);
        return number.Length <= DigitsOfDouble && Math.Abs(value) is 0 or (> 1e-300 and < 1e300)
            || Normalize(number) == Normalize(shortest[..length]);
    }

    // Digits without zeros at either end, and the exponent of the last one: equal for equal numbers.
    private static (bool IsNegative, string Digits, long Exponent) Normalize(ReadOnlySpan<byte> number)
    {
        var mantissaEnd = number.IndexOfAny("e"u8[0], "E"u8[0]);
        var mantissa = mantissaEnd < 0 ? number : number[..mantissaEnd];
        var exponent = mantissaEnd < 0 || !long.TryParse(number[(mantissaEnd + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var written) ? 0 : written;
        var point = mantissa.IndexOf("."u8[0]);
        exponent -= point < 0 ? 0 : mantissa.Length - point - 1;
        var text = Encoding.ASCII.GetString(mantissa);
        var digits = text.Replace(".", "", StringComparison.Ordinal).TrimStart('-').TrimStart('0');
        var trimmed = digits.TrimEnd('0');
        return (text[0] == '-', trimmed, trimmed.Length == 0 ? 0 : exponent + digits.Length - trimmed.Length);
    }

    private static bool IsNumber(ReadOnlySpan<byte> text)
    {
        try
        {
            var json = new System.Text.Json.Utf8JsonReader(text);
            return json.Read() && json.TokenType == System.Text.Json.JsonTokenType.Number && !json.Read();
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }
}
