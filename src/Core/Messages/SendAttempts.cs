namespace ServiceMesh;

/// <summary>How often one message is given to the transport. Thread-safe.</summary>
internal sealed class SendAttempts
{
    private int _count;
    private int _unprocessed;

    /// <summary>False while no step has called the next one: then nothing was sent.</summary>
    public bool HaveBegun => Volatile.Read(ref _count) > 0;

    /// <summary>
    /// False when each attempt is known not to have been processed. One that is still under way may be, and so may one that has failed in
    /// another way.
    /// </summary>
    public bool MayHaveRun => Volatile.Read(ref _count) > Volatile.Read(ref _unprocessed);

    /// <summary>An attempt has ended, and no handler saw it.</summary>
    public void EndUnprocessed() => Interlocked.Increment(ref _unprocessed);

    /// <summary>True for the first attempt.</summary>
    public bool Begin() => Interlocked.Increment(ref _count) == 1;
}
