using System.Numerics;
using System.Runtime.InteropServices;

namespace ServiceMesh.Http;

/// <summary>Successes and failures within a window.</summary>
internal readonly record struct Outcomes(long Successes, long Failures)
{
    public long Total => Successes + Failures;

    public double FailureRate => Total == 0 ? 0 : (double)Failures / Total;
}

/// <summary>
/// Counts outcomes within a sliding window, fast with many threads: each processor has its own cell, which only grows, as in Java's
/// LongAdder (JSR 166). Once in each interval one caller stores the sums as a bucket. The outcomes within the window are the difference
/// between now and the oldest bucket in it, as in Armeria's sliding window. Nothing is ever reset, so no outcome is lost or counted
/// twice. Thread-safe without waiting, and without allocation.
/// </summary>
internal sealed class OutcomeWindow
{
    // With more processors than this, several share a cell: 4 KB for each window are enough.
    private const int MaxCells = 32;
    private const long Busy = long.MaxValue;

    private readonly Cell[] _cells;
    private readonly Bucket[] _buckets; // a ring; used only by the thread that set _rollAt to Busy
    private readonly long _window;
    private readonly long _interval;
    private int _newest;
    private long _rollAt; // when the next bucket begins, or Busy

    /// <param name="window">In the unit of <paramref name="now"/>.</param>
    /// <param name="interval">At most the window.</param>
    /// <param name="now">A timestamp; all later timestamps come from the same clock.</param>
    /// <param name="cells">The number of cells, rounded up to a power of two. Default: one for each processor.</param>
    public OutcomeWindow(long window, long interval, long now, int? cells = null)
    {
        _cells = new Cell[(int)BitOperations.RoundUpToPowerOf2((uint)(cells ?? Math.Min(Environment.ProcessorCount, MaxCells)))];
        _window = window;
        _interval = interval;
        _buckets = new Bucket[(window / interval) + 2];
        Array.Fill(_buckets, new(long.MinValue, default));
        _buckets[0] = new(now, default);
        _rollAt = now + interval;
    }

    /// <summary>
    /// Counts one outcome. True for one caller in each interval; that caller receives the outcomes within the window, its own included.
    /// </summary>
    public bool Count(bool failed, long now, out Outcomes within)
    {
        var rolls = now >= Volatile.Read(ref _rollAt) && TryRoll(now);
        ref var cell = ref _cells[Thread.GetCurrentProcessorId() & (_cells.Length - 1)];
        Interlocked.Increment(ref failed ? ref cell.Failures : ref cell.Successes);
        if (!rolls)
        {
            within = default;
            return false;
        }

        within = Within(now);
        Volatile.Write(ref _rollAt, now + _interval);
        return true;
    }

    /// <summary>Reads the outcomes within the window. False if another thread reads at this moment.</summary>
    public bool TryRead(long now, out Outcomes within)
    {
        var seen = Volatile.Read(ref _rollAt);
        if (seen == Busy || Interlocked.CompareExchange(ref _rollAt, Busy, seen) != seen)
        {
            within = default;
            return false;
        }

        within = Within(now);
        Volatile.Write(ref _rollAt, seen);
        return true;
    }

    // The winner begins a bucket before it counts, so that its own outcome lies in the new bucket. Threads that lose, or come while the
    // winner sums, count and go on: the race decides only in which of two neighbouring buckets they are counted.
    private bool TryRoll(long now)
    {
        var seen = Volatile.Read(ref _rollAt);
        if (now < seen || Interlocked.CompareExchange(ref _rollAt, Busy, seen) != seen)
        {
            return false;
        }

        _newest = (_newest + 1) % _buckets.Length;
        _buckets[_newest] = new(now, Sum());
        return true;
    }

    private Outcomes Within(long now)
    {
        Bucket? oldest = null;
        foreach (var bucket in _buckets)
        {
            if (bucket.Began >= now - _window && (oldest is null || bucket.Began < oldest.Value.Began))
            {
                oldest = bucket;
            }
        }

        if (oldest is not { Before: var before })
        {
            return default; // the last bucket began before the window, and a later call would have begun another one
        }

        var all = Sum();
        return new(all.Successes - before.Successes, all.Failures - before.Failures);
    }

    private Outcomes Sum()
    {
        var (successes, failures) = (0L, 0L);
        foreach (ref var cell in _cells.AsSpan())
        {
            successes += Volatile.Read(ref cell.Successes);
            failures += Volatile.Read(ref cell.Failures);
        }

        return new(successes, failures);
    }

    /// <param name="Began">When it began.</param>
    /// <param name="Before">All outcomes that were counted before it.</param>
    private readonly record struct Bucket(long Began, Outcomes Before);

    // Two cache lines for each processor, because lines are fetched in pairs. The counters are not at the beginning, where the length of
    // the array is, because every access reads that.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Cell
    {
        [FieldOffset(64)]
        public long Successes;

        [FieldOffset(72)]
        public long Failures;
    }
}
