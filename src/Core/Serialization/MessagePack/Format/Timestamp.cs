namespace ServiceMesh;

/// <summary>Between the format's seconds with nanoseconds and .NET's ticks of 100 ns. Finer parts of a tick are cut off.</summary>
internal static class Timestamp
{
    private const long UnixEpochSeconds = 62_135_596_800; // from 0001-01-01 to 1970-01-01
    private const int NanosecondsPerTick = 100;

    public static void Write(ref MessagePackWriter writer, long utcTicks)
    {
        var seconds = Math.DivRem(utcTicks, TimeSpan.TicksPerSecond, out var rest);
        writer.WriteTimestamp(seconds - UnixEpochSeconds, (uint)rest * NanosecondsPerTick);
    }

    public static long Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        reader.ReadTimestamp(out var seconds, out var nanoseconds);
        if (seconds is < -UnixEpochSeconds or >= (DateTimeMaxSeconds - UnixEpochSeconds))
        {
            throw MessagePackReader.OutOfRange("a time of the years 1 to 9999", start);
        }

        return ((seconds + UnixEpochSeconds) * TimeSpan.TicksPerSecond) + (nanoseconds / NanosecondsPerTick);
    }

    // 9999-12-31T23:59:59.9999999 is the last tick, so this second is the first that is too late.
    private const long DateTimeMaxSeconds = 315_537_897_600;
}
