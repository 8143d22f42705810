using System.Globalization;
using System.Text.Json;

namespace ServiceMesh;

/// <summary>
/// A time in UTC is a timestamp. What a timestamp cannot say stands behind it, in an array of two: the minutes that the
/// clock was ahead of UTC, or nil for a time without a zone, whose timestamp is the clock's own reading.
/// </summary>
internal sealed class DateTimeCodec : Codec<DateTime>
{
    public override void Write(ref MessagePackWriter writer, DateTime value)
    {
        switch (value.Kind)
        {
            case DateTimeKind.Utc:
                Timestamp.Write(ref writer, value.Ticks);
                break;
            case DateTimeKind.Local:
                DateTimeOffsetCodec.WriteZoned(ref writer, new DateTimeOffset(value));
                break;
            default:
                writer.WriteArrayHeader(2);
                Timestamp.Write(ref writer, value.Ticks);
                writer.WriteNil();
                break;
        }
    }

    public override DateTime Read(ref MessagePackReader reader)
    {
        switch (reader.NextKind)
        {
            case MessagePackKind.Extension:
                return new(Timestamp.Read(ref reader), DateTimeKind.Utc);
            case MessagePackKind.String:
                return IsoTime.Read(ref reader, element => (element.TryGetDateTime(out var time), time));
            default:
                var ticks = DateTimeOffsetCodec.ReadZoned(ref reader, out var offset);
                return offset is null ? new(ticks, DateTimeKind.Unspecified) : new DateTime(ticks, DateTimeKind.Utc).ToLocalTime();
        }
    }
}

/// <summary>As <see cref="DateTimeCodec"/>: a timestamp alone when the offset is zero.</summary>
internal sealed class DateTimeOffsetCodec : Codec<DateTimeOffset>
{
    private const int LargestOffset = 14 * 60;

    public override void Write(ref MessagePackWriter writer, DateTimeOffset value)
    {
        if (value.Offset == TimeSpan.Zero)
        {
            Timestamp.Write(ref writer, value.Ticks);
        }
        else
        {
            WriteZoned(ref writer, value);
        }
    }

    public override DateTimeOffset Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        switch (reader.NextKind)
        {
            case MessagePackKind.Extension:
                return new(Timestamp.Read(ref reader), TimeSpan.Zero);
            case MessagePackKind.String:
                return IsoTime.Read(ref reader, element => (element.TryGetDateTimeOffset(out var time), time));
            default:
                var ticks = ReadZoned(ref reader, out var minutes);
                var offset = TimeSpan.FromMinutes(minutes ?? throw MessagePackReader.OutOfRange("a time with an offset", start));
                var local = ticks + offset.Ticks;
                return local >= DateTime.MinValue.Ticks && local <= DateTime.MaxValue.Ticks
                    ? new(local, offset)
                    : throw MessagePackReader.OutOfRange("a time of the years 1 to 9999", start);
        }
    }

    public static void WriteZoned(ref MessagePackWriter writer, DateTimeOffset value)
    {
        writer.WriteArrayHeader(2);
        Timestamp.Write(ref writer, value.UtcTicks);
        writer.WriteInteger(value.TotalOffsetMinutes);
    }

    public static long ReadZoned(ref MessagePackReader reader, out int? offset)
    {
        var start = reader.Position;
        if (reader.NextKind != MessagePackKind.Array)
        {
            throw reader.Unexpected("a timestamp, or an array of one and an offset,");
        }

        if (reader.ReadArrayHeader() != 2)
        {
            throw MessagePackReader.OutOfRange("an array of a timestamp and an offset", start);
        }

        var ticks = Timestamp.Read(ref reader);
        offset = reader.TryReadNil() ? null : reader.ReadInt32();
        return offset is not (< -LargestOffset or > LargestOffset)
            ? ticks
            : throw MessagePackReader.OutOfRange("an offset of at most 14 hours", start);
    }
}

/// <summary>As a count of ticks of 100 ns. JSON's text is understood as well.</summary>
internal sealed class TimeSpanCodec : Codec<TimeSpan>
{
    public override void Write(ref MessagePackWriter writer, TimeSpan value) => writer.WriteInteger(value.Ticks);

    public override TimeSpan Read(ref MessagePackReader reader)
    {
        if (reader.NextKind != MessagePackKind.String)
        {
            return new(reader.ReadInt64());
        }

        var start = reader.Position;
        return TimeSpan.TryParseExact(reader.ReadString(), "c", CultureInfo.InvariantCulture, out var value)
            ? value
            : throw MessagePackReader.OutOfRange("a time span, as 1.23:59:59.9999999", start);
    }
}

/// <summary>Times as JSON writes them, which a value that came through JSON has: read by JSON's own rules.</summary>
file static class IsoTime
{
    public static T Read<T>(ref MessagePackReader reader, Func<JsonElement, (bool IsTime, T Time)> read)
    {
        var start = reader.Position;
        var (isTime, time) = read(JsonText.ReadElement(ref reader));
        return isTime ? time : throw MessagePackReader.OutOfRange("a time in the format of ISO 8601", start);
    }
}
