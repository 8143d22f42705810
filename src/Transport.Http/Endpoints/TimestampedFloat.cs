namespace ServiceMesh.Http;

/// <summary>
/// A float and the time at which it was true, packed in one long, so that both change in one compare-and-swap. High half: the bits of
/// the float. Low half: milliseconds, wrapping after 49 days.
/// </summary>
internal static class TimestampedFloat
{
    /// <summary>τ: after this many seconds 37 % of a value is left.</summary>
    public const float DecaySeconds = 10;

    private const int StepBits = 5;
    private const int StepMilliseconds = 1 << StepBits;
    private const int Steps = 4096;

    // A pick of a balancer needs four decays, and a straight line between two entries is cheaper than any exponential function. Only the
    // beginning of the table is read while there is traffic.
    private static readonly float[] s_left =
        [.. Enumerable.Range(0, Steps + 1).Select(i => MathF.Exp(i * StepMilliseconds / (-1000 * DecaySeconds)))];

    public static float Value(long packed) => BitConverter.Int32BitsToSingle((int)(packed >> 32));

    public static long Pack(float value, uint milliseconds) => ((long)BitConverter.SingleToInt32Bits(value) << 32) | milliseconds;

    /// <summary>
    /// The share of the value that is left: 1 at first, then exp(−Δt/τ) within 0.0002 %. After two minutes it stays at two millionths and
    /// never becomes 0, so that a product with a weight still tells weights apart.
    /// </summary>
    public static float Decay(long packed, uint nowMilliseconds)
    {
        // Another thread may have written a slightly later time: then nothing has decayed.
        var elapsed = unchecked((int)(nowMilliseconds - (uint)packed));
        var step = (uint)(elapsed >> StepBits);
        if (step >= Steps)
        {
            return elapsed < 0 ? 1 : s_left[Steps];
        }

        return s_left[step] + ((s_left[step + 1] - s_left[step]) * ((elapsed & (StepMilliseconds - 1)) * (1f / StepMilliseconds)));
    }
}
