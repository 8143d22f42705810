namespace ServiceMesh.Http;

/// <summary>
/// An average that jumps up and falls slowly: a sample above it replaces it, a lower one decays in with
/// exp(−Δt/τ), τ = 10 s. After "Peak EWMA" of Twitter's Finagle. Lock-free.
/// </summary>
/// <param name="start">The average before the first sample, in any unit.</param>
internal sealed class PeakEwma(float start)
{
    private long _packed = Packed.Write(start, 0);

    /// <summary>The average as the last sample left it.</summary>
    public float Last => Packed.Value(Volatile.Read(ref _packed));

    /// <summary>Takes a sample in.</summary>
    public void Record(float sample, uint nowMilliseconds)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _packed);
            var average = Packed.Value(seen);
            var weight = Packed.Decay(seen, nowMilliseconds);
            var next = sample > average ? sample : (average * weight) + (sample * (1 - weight));
            if (Interlocked.CompareExchange(ref _packed, Packed.Write(next, nowMilliseconds), seen) == seen)
            {
                return;
            }
        }
    }

    /// <summary>Forgets what was recorded. A sample that comes at this moment may be forgotten with it, which is no loss.</summary>
    public void Reset(float value, uint nowMilliseconds) => Volatile.Write(ref _packed, Packed.Write(value, nowMilliseconds));

    /// <summary>The average as it has decayed by now, so that one that got a bad mark is tried again some day.</summary>
    public float Read(uint nowMilliseconds)
    {
        var seen = Volatile.Read(ref _packed);
        return Packed.Value(seen) * Packed.Decay(seen, nowMilliseconds);
    }
}
