namespace ServiceMesh.Faults.Tests;

/// <summary>The clock of a machine that is wrong and may be set. Time that is measured goes on as it does. Thread-safe.</summary>
internal sealed class SteppingClock : TimeProvider
{
    private long _offset;

    /// <summary>How far it is from the right time.</summary>
    public TimeSpan Offset
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _offset));
        set => Interlocked.Exchange(ref _offset, value.Ticks);
    }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
}
