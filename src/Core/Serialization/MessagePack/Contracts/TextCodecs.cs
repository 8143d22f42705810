using System.Globalization;

namespace ServiceMesh;

internal sealed class StringCodec : Codec<string?>
{
    public override void Write(ref MessagePackWriter writer, string? value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            writer.WriteString(value);
        }
    }

    public override string? Read(ref MessagePackReader reader) => reader.TryReadNil() ? null : reader.ReadString();
}

/// <summary>A type whose form is the text that JSON has for it.</summary>
internal sealed class TextCodec<T>(string expected, Func<T, string> format, TextCodec<T>.TryParse parse) : Codec<T>
{
    public delegate bool TryParse(string text, out T value);

    public override void Write(ref MessagePackWriter writer, T value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            writer.WriteString(format(value));
        }
    }

    public override T Read(ref MessagePackReader reader)
    {
        if (default(T) is null && reader.TryReadNil())
        {
            return default!;
        }

        var start = reader.Position;
        return parse(reader.ReadString(), out var value) ? value : throw MessagePackReader.OutOfRange(expected, start);
    }
}

/// <summary>The types that are texts.</summary>
internal static class TextCodecs
{
    public static readonly TextCodec<char> Char = new(
        "one character",
        value => value.ToString(),
        (text, out value) =>
        {
            value = text.Length == 1 ? text[0] : default;
            return text.Length == 1;
        });

    public static readonly TextCodec<DateOnly> DateOnly = new(
        "a date, as 2026-01-31",
        value => value.ToString("O", CultureInfo.InvariantCulture),
        (text, out value) => System.DateOnly.TryParseExact(text, "O", CultureInfo.InvariantCulture, DateTimeStyles.None, out value));

    public static readonly TextCodec<TimeOnly> TimeOnly = new(
        "a time of day, as 23:59:59.9999999",
        value => value.ToTimeSpan().ToString("c", CultureInfo.InvariantCulture),
        (text, out value) =>
        {
            var isTime = TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out var span) && span >= TimeSpan.Zero && span.Days == 0;
            value = isTime ? System.TimeOnly.FromTimeSpan(span) : default;
            return isTime;
        });

    public static readonly TextCodec<Uri?> Uri = new(
        "a URI",
        value => value!.OriginalString,
        (text, out value) => System.Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out value));

    public static readonly TextCodec<Version?> Version = new(
        "a version, as 1.2.3",
        value => value!.ToString(),
        (text, out value) => System.Version.TryParse(text, out value));
}
