namespace ServiceMesh.Http;

/// <summary>The last value that was said, fading with exp(−Δt/τ), τ = 10 s, because old news is no news. Lock-free.</summary>
internal sealed class DecayingMark
{
    private long _packed;

    // The last writer wins: what it says is as new as what it overwrites.
    public void Set(float value, uint nowMilliseconds) => Volatile.Write(ref _packed, Packed.Write(value, nowMilliseconds));

    public float Read(uint nowMilliseconds)
    {
        var seen = Volatile.Read(ref _packed);
        return seen == 0 ? 0 : Packed.Value(seen) * Packed.Decay(seen, nowMilliseconds);
    }
}
