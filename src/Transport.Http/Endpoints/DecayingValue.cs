namespace ServiceMesh.Http;

/// <summary>The last value that was set, fading with exp(−Δt/τ), τ = 10 s, because an old report says little. Lock-free.</summary>
internal sealed class DecayingValue
{
    private long _packed;

    // If two writers race, the last one wins: its value is as new as the value that it replaces.
    public void Set(float value, uint nowMilliseconds) => Volatile.Write(ref _packed, TimestampedFloat.Pack(value, nowMilliseconds));

    public float Read(uint nowMilliseconds)
    {
        var seen = Volatile.Read(ref _packed);
        return seen == 0 ? 0 : TimestampedFloat.Value(seen) * TimestampedFloat.Decay(seen, nowMilliseconds);
    }
}
