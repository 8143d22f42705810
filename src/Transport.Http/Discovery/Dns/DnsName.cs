using System.Globalization;
using System.Text;

namespace ServiceMesh.Http;

/// <summary>
/// Names as text and as labels (RFC 1035): a label has 1 to 63 bytes, a name at most 255. Bytes that are no plain
/// characters of a name are written <c>\DDD</c>. Names are compared without regard to case.
/// </summary>
internal static class DnsName
{
    public const int LongestLabel = 63;
    public const int LongestName = 255;

    public static StringComparer Comparer => StringComparer.OrdinalIgnoreCase;

    /// <summary>Writes a name as labels.</summary>
    /// <exception cref="ArgumentException">The text is no name.</exception>
    public static byte[] ToWire(string name)
    {
        var bytes = new List<byte>(name.Length + 2);
        foreach (var label in Labels(name))
        {
            if (label.Length is 0 or > LongestLabel)
            {
                throw new ArgumentException($"'{name}' is no DNS name: between its dots are 1 to {LongestLabel} characters.", nameof(name));
            }

            bytes.Add((byte)label.Length);
            bytes.AddRange(label);
        }

        bytes.Add(0);
        return bytes.Count <= LongestName
            ? [.. bytes]
            : throw new ArgumentException($"'{name}' is no DNS name: it is longer than {LongestName} bytes.", nameof(name));
    }

    /// <summary>Appends a label of a packet to a name.</summary>
    public static void AppendLabel(StringBuilder name, ReadOnlySpan<byte> label)
    {
        if (name.Length > 0)
        {
            name.Append('.');
        }

        foreach (var value in label)
        {
            if (value is > 0x20 and < 0x7F && value is not ((byte)'.' or (byte)'\\'))
            {
                name.Append((char)value);
            }
            else
            {
                name.Append(CultureInfo.InvariantCulture, $"\\{value:000}");
            }
        }
    }

    private static IEnumerable<byte[]> Labels(string name)
    {
        var text = name.EndsWith('.') ? name[..^1] : name;
        var label = new List<byte>();
        for (var i = 0; i < text.Length; i++)
        {
            var character = text[i];
            if (character == '.')
            {
                yield return [.. label];
                label.Clear();
            }
            else if (character == '\\' && i + 3 < text.Length && byte.TryParse(text.AsSpan(i + 1, 3), NumberStyles.None, null, out var value))
            {
                label.Add(value);
                i += 3;
            }
            else if (character is > ' ' and < '\u007f')
            {
                label.Add((byte)character);
            }
            else
            {
                throw new ArgumentException(
                    $"'{name}' is no DNS name: it has a character outside of printable ASCII. Write international names as xn--….", nameof(name));
            }
        }

        yield return [.. label];
    }
}
