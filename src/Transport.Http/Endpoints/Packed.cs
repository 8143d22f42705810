namespace ServiceMesh.Http;

/// <summary>
/// A float and the time when it was true in one long, so that both change in one compare-and-swap. High half: the bits of the
/// float. Low half: milliseconds, wrapping after 49 days.
/// </summary>
internal static class Packed
{
    /// <summary>τ: after this long, 37 % of a value is left.</summary>
    public const float DecaySeconds = 10;

    private const int StepBits = 5;
    private const int StepMilliseconds = 1 << StepBits;
    private const int Steps = 4096;

    // A pick needs four of them, and a straight line between two entries is cheaper than any exponential. Only the beginning is
    // read while there is traffic.
    private static readonly float[] s_left = [.. Enumerable.Range(0, Steps + 1).Select(i => MathF.Exp(i * StepMilliseconds / (-1000 * DecaySeconds)))];

    public static float Value(long packed) => BitConverter.Int32BitsToSingle((int)(packed >> 32));

    public static long Write(float value, uint milliseconds) => ((long)BitConverter.SingleToInt32Bits(value) << 32) | milliseconds;

    /// <summary>What is left of the value: 1 at once, then exp(−Δt/τ) within 0.0002 %; after two minutes two millionths, and never nothing, so that products still tell weights apart.</summary>
    public static float Decay(long packed, uint nowMilliseconds)
    {
        // Another thread may have written a slightly later time: then nothing has decayed.
        var elapsed = unchecked((int)(nowMilliseconds - (uint)packed));
        var step = (uint)(elapsed >> StepBits);
        return step >= Steps ? (elapsed < 0 ? 1 : s_left[Steps])
            : s_left[step] + ((s_left[step + 1] - s_left[step]) * ((elapsed & (StepMilliseconds - 1)) * (1f / StepMilliseconds)));
    }
}
