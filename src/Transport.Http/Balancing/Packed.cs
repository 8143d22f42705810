namespace ServiceMesh.Http;

/// <summary>
/// A float and the time when it was true in one long, so that both change in one compare-and-swap. High half: the bits of the
/// float. Low half: milliseconds, wrapping after 49 days.
/// </summary>
internal static class Packed
{
    /// <summary>τ: after this long, 37 % of a value is left.</summary>
    public const float DecaySeconds = 10;

    public static float Value(long packed) => BitConverter.Int32BitsToSingle((int)(packed >> 32));

    public static long Write(float value, uint milliseconds) => ((long)BitConverter.SingleToInt32Bits(value) << 32) | milliseconds;

    /// <summary>What is left of the value: 1 at once, then exp(−Δt/τ).</summary>
    public static float Decay(long packed, uint nowMilliseconds)
    {
        // Another thread may have written a slightly later time: then nothing has decayed.
        var elapsed = unchecked((int)(nowMilliseconds - (uint)packed));
        return elapsed <= 0 ? 1 : MathF.Exp(elapsed / (-1000 * DecaySeconds));
    }
}
