namespace ServiceMesh.Http;

/// <summary>
/// Milliseconds for what fades within seconds, wrapping after 49 days. Of the system's clock they are as the kernel last
/// counted them, some milliseconds ago, because a precise timestamp would be half of what a pick costs.
/// </summary>
internal static class CoarseClock
{
    public static uint Read(TimeProvider clock) => ReferenceEquals(clock, TimeProvider.System)
        ? unchecked((uint)Environment.TickCount64)
        : unchecked((uint)(long)(clock.GetTimestamp() * (1000.0 / clock.TimestampFrequency)));
}
