namespace ServiceMesh.Links;

/// <summary>
/// What a peer has said about its load. Races between reports cost one of them, and the next one is right again.
/// </summary>
internal struct MemberLoad
{
    private const int Smoothing = 8;

    /// <summary>What the peer does for others, as far as its last report says; fades when no report comes.</summary>
    public int OfOthers;

    /// <summary>The smoothed time from sending to the answer; 0 before the first.</summary>
    public long LatencyTicks;

    /// <param name="load">The messages that the peer runs and queues for all.</param>
    /// <param name="own">Those of this node that still wait for it.</param>
    public void Report(int load, int own) => Volatile.Write(ref OfOthers, Math.Max(0, load - own));

    /// <param name="load">The messages that the peer runs and queues for all.</param>
    /// <param name="own">Those of this node that still wait for it.</param>
    /// <param name="took">How long this answer took.</param>
    public void Report(int load, int own, TimeSpan took)
    {
        Report(load, own);
        var before = Volatile.Read(ref LatencyTicks);
        Volatile.Write(ref LatencyTicks, before == 0 ? Math.Max(1, took.Ticks) : before + ((took.Ticks - before) / Smoothing));
    }

    /// <summary>Halves the load of others: a report grows old.</summary>
    public void Decay() => Volatile.Write(ref OfOthers, Volatile.Read(ref OfOthers) / 2);
}
