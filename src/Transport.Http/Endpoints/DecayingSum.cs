namespace ServiceMesh.Http;

/// <summary>A sum whose parts fade with exp(−Δt/τ), τ = 10 s: about what came within the last ten seconds. Lock-free.</summary>
internal sealed class DecayingSum
{
    // As in PeakEwma. A float forgets what is 16 million times smaller than the sum: too little to compare by.
    private long _packed;

    public void Add(float amount, uint nowMilliseconds)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _packed);
            var next = Packed.Write((Packed.Value(seen) * Packed.Decay(seen, nowMilliseconds)) + amount, nowMilliseconds);
            if (Interlocked.CompareExchange(ref _packed, next, seen) == seen)
            {
                return;
            }
        }
    }

    public float Read(uint nowMilliseconds)
    {
        var seen = Volatile.Read(ref _packed);
        return Packed.Value(seen) * Packed.Decay(seen, nowMilliseconds);
    }
}
