namespace ServiceMesh.Http;

/// <summary>
/// An average that rises at once and falls slowly: a sample above the average replaces it, a lower sample decays in with
/// exp(−Δt/τ), τ = 10 s. After "Peak EWMA" of Twitter's Finagle. Lock-free.
/// </summary>
/// <param name="start">The average before the first sample, in any unit.</param>
internal sealed class PeakEwma(float start)
{
    private long _packed = TimestampedFloat.Pack(start, 0);

    /// <summary>The average as the last sample left it.</summary>
    public float Last => TimestampedFloat.Value(Volatile.Read(ref _packed));

    /// <summary>Adds a sample.</summary>
    public void Record(float sample, uint nowMilliseconds)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _packed);
            var average = TimestampedFloat.Value(seen);
            var weight = TimestampedFloat.Decay(seen, nowMilliseconds);
            var next = sample > average ? sample : (average * weight) + (sample * (1 - weight));
            if (Interlocked.CompareExchange(ref _packed, TimestampedFloat.Pack(next, nowMilliseconds), seen) == seen)
            {
                return;
            }
        }
    }

    /// <summary>Replaces the average. A sample that arrives at the same moment may be lost, which does no harm.</summary>
    public void Reset(float value, uint nowMilliseconds) => Volatile.Write(ref _packed, TimestampedFloat.Pack(value, nowMilliseconds));

    /// <summary>The average as it has decayed until now, so that an endpoint with one bad sample is tried again.</summary>
    public float Read(uint nowMilliseconds)
    {
        var seen = Volatile.Read(ref _packed);
        return TimestampedFloat.Value(seen) * TimestampedFloat.Decay(seen, nowMilliseconds);
    }
}
