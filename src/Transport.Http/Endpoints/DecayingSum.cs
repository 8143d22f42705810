namespace ServiceMesh.Http;

/// <summary>
/// A sum whose parts fade with exp(−Δt/τ), τ = 10 s: roughly what was added within the last ten seconds. Lock-free.
/// </summary>
internal sealed class DecayingSum
{
    // A float loses amounts that are 16 million times smaller than the sum. They are too small to compare endpoints by.
    private long _packed;

    public void Add(float amount, uint nowMilliseconds)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _packed);
            var decayed = TimestampedFloat.Value(seen) * TimestampedFloat.Decay(seen, nowMilliseconds);
            if (Interlocked.CompareExchange(ref _packed, TimestampedFloat.Pack(decayed + amount, nowMilliseconds), seen) == seen)
            {
                return;
            }
        }
    }

    public float Read(uint nowMilliseconds)
    {
        var seen = Volatile.Read(ref _packed);
        return TimestampedFloat.Value(seen) * TimestampedFloat.Decay(seen, nowMilliseconds);
    }
}
