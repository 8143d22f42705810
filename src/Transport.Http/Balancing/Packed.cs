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
        return elapsed <= 0 ? 1 : Exp(elapsed / (-1000 * DecaySeconds));
    }

    /// <summary>
    /// e to the power of something negative, right within 0.02 % and cheaper than <see cref="MathF.Exp"/>: a pick
    /// needs four of them. 2^(i+f) is i in the exponent of a float times a cubic in f (least squares in relative error over
    /// 0 to 1, and 1 at both ends).
    /// </summary>
    private static float Exp(float x)
    {
        var power = x * 1.44269504f; // log2 e
        if (power < -100)
        {
            return 0;
        }

        var whole = (int)power - 1; // below zero it is the next one down, or the one below that with f = 1
        var f = power - whole;
        return BitConverter.Int32BitsToSingle((whole + 127) << 23) * (1 + (f * (0.6955020f + (f * (0.2262698f + (f * 0.0782282f))))));
    }
}
