namespace ServiceMesh.Http;

/// <summary>
/// The number of retries that recent requests allow: a share of them and a fixed number per second, over a sliding window, so that
/// retries never become the load that keeps a service down. Shared by all requests of a client to one service. Thread-safe without locks.
/// </summary>
/// <remarks>The computation is that of Finagle's <c>RetryBudget</c>, counted in slices of the window.</remarks>
internal sealed class RetryBudget
{
    private const int Slices = 10;

    private readonly TimeProvider _clock;
    private readonly double _ratio;
    private readonly double _reserve;
    private readonly TimeSpan _sliceTime;
    private readonly long _madeAt;
    private readonly Slice[] _slices = new Slice[Slices];

    public RetryBudget(HttpRetryBudgetOptions settings, TimeProvider clock)
    {
        _clock = clock;
        _ratio = settings.Ratio;
        _reserve = settings.PerSecond * settings.Window.TotalSeconds;
        _sliceTime = settings.Window / Slices;
        _madeAt = clock.GetTimestamp();
        for (var i = 0; i < Slices; i++)
        {
            _slices[i] = new();
        }
    }

    /// <summary>The number of retries that are allowed now.</summary>
    public double Available
    {
        get
        {
            var now = Period;
            var (requests, retries) = (0L, 0L);
            foreach (var slice in _slices)
            {
                if (now - Volatile.Read(ref slice.Period) < Slices)
                {
                    requests += Volatile.Read(ref slice.Requests);
                    retries += Volatile.Read(ref slice.Retries);
                }
            }

            return _reserve + (_ratio * requests) - retries;
        }
    }

    private long Period => _clock.GetElapsedTime(_madeAt).Ticks / _sliceTime.Ticks;

    /// <summary>A request is sent for the first time.</summary>
    public void Count() => Interlocked.Increment(ref Current().Requests);

    /// <summary>Takes the token of one retry. False if there is none: then the last result counts.</summary>
    public bool TryTake()
    {
        // Counted first and checked afterwards, so that two concurrent retries cannot both take the last token.
        var slice = Current();
        Interlocked.Increment(ref slice.Retries);
        if (Available >= 0)
        {
            return true;
        }

        Interlocked.Decrement(ref slice.Retries);
        return false;
    }

    // The first thread that finds a slice of ten periods ago clears it. A token that is counted at that very moment may be lost.
    private Slice Current()
    {
        var now = Period;
        var slice = _slices[now % Slices];
        var found = Volatile.Read(ref slice.Period);
        if (found < now && Interlocked.CompareExchange(ref slice.Period, now, found) == found)
        {
            Volatile.Write(ref slice.Requests, 0);
            Volatile.Write(ref slice.Retries, 0);
        }

        return slice;
    }

    private sealed class Slice
    {
        public long Period;
        public long Requests;
        public long Retries;
    }
}
