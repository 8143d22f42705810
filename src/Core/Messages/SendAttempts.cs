namespace ServiceMesh;

/// <summary>How often one message is given to the transport. Thread-safe.</summary>
internal sealed class SendAttempts
{
    private int _count;

    /// <summary>False while no step has called the next one: then nothing was sent.</summary>
    public bool HaveBegun => Volatile.Read(ref _count) > 0;

    /// <summary>True for the first attempt.</summary>
    public bool Begin() => Interlocked.Increment(ref _count) == 1;
}
