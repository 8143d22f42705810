namespace ServiceMesh.Http;

/// <summary>
/// The highest sample of the last one to two seconds, and at least the last one: it bounds an average that falls slowly, so that one
/// outlier is forgotten as soon as later samples are low. Lock-free. A sample that arrives while another thread begins a new second may
/// be lost, which does no harm: the next sample counts.
/// </summary>
internal sealed class RecentPeak
{
    private const uint Second = 1000;

    private uint _began;
    private float _current = float.NaN;
    private float _before = float.NaN;

    /// <summary>The highest sample; infinite before the first.</summary>
    public float Value
    {
        get
        {
            var (current, before) = (Volatile.Read(ref _current), Volatile.Read(ref _before));
            return float.IsNaN(current) ? float.PositiveInfinity : float.IsNaN(before) ? current : Math.Max(current, before);
        }
    }

    /// <summary>Adds a sample.</summary>
    public void Record(float sample, uint nowMilliseconds)
    {
        var began = Volatile.Read(ref _began);
        if (unchecked(nowMilliseconds - began) >= Second && unchecked((int)(nowMilliseconds - began)) > 0
            && Interlocked.CompareExchange(ref _began, nowMilliseconds, began) == began)
        {
            Volatile.Write(ref _before, Interlocked.Exchange(ref _current, sample));
            return;
        }

        var seen = Volatile.Read(ref _current);
        while (!(sample <= seen) && Interlocked.CompareExchange(ref _current, sample, seen) is var now && !now.Equals(seen))
        {
            seen = now;
        }
    }

    /// <summary>Forgets all samples.</summary>
    public void Reset()
    {
        Volatile.Write(ref _before, float.NaN);
        Volatile.Write(ref _current, float.NaN);
    }
}
