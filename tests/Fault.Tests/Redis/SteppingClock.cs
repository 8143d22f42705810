namespace ServiceMesh.Faults.Tests;

/// <summary>The wrong clock of a machine, which can be set. Elapsed time is measured correctly. Thread-safe.</summary>
internal sealed class SteppingClock : TimeProvider
{
    private long _offset;

    /// <summary>The difference from the right time.</summary>
    public TimeSpan Offset
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _offset));
        set => Interlocked.Exchange(ref _offset, value.Ticks);
    }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
}
