namespace ServiceMesh.Redis;

/// <summary>
/// Tells what is new from what was published before, for one subscription: by the time at which a packet was sealed, and within that by
/// numbers, which rise on each channel of a sender. Used by one thread at a time.
/// </summary>
/// <param name="now">The mesh's clock in milliseconds.</param>
/// <param name="many">From so many senders and channels on, those are forgotten that are silent for longer than the tolerance.</param>
/// <param name="tooMany">From so many on, all are forgotten but the highest number of each sender.</param>
internal sealed class Freshness<TChannel>(Func<long> now, int many = 1024, int tooMany = 65_536)
    where TChannel : IEquatable<TChannel>
{
    /// <summary>A packet that was sealed longer ago, or as much in the future, is not accepted.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(60);

    private readonly Dictionary<(UInt128 Incarnation, TChannel Channel), (long Number, long Instant)> _last = [];
    private readonly Dictionary<UInt128, (long Number, long Instant)> _floors = [];
    private int _sweepAt;

    /// <summary>Judges a packet that has been opened, and remembers one that is accepted.</summary>
    public SealFault Judge(in SealHead head, TChannel channel)
    {
        var time = now();
        if (!IsNear(head.Instant, time))
        {
            return SealFault.Late;
        }

        var key = (head.Incarnation, channel);
        var above = _last.TryGetValue(key, out var last) ? last.Number : _floors.GetValueOrDefault(head.Incarnation).Number;
        if (head.Number <= above)
        {
            return SealFault.Replayed;
        }

        if (_last.Count >= Math.Max(many, _sweepAt) && !_last.ContainsKey(key))
        {
            Sweep(time);
        }

        _last[key] = (head.Number, head.Instant);
        return SealFault.None;
    }

    /// <summary>True for an instant that is within the tolerance.</summary>
    public static bool IsNear(long instant, long time) =>
        Math.Abs((double)instant - time) <= Tolerance.TotalMilliseconds;

    // What is forgotten because of its age is refused because of its age.
    private void Sweep(long time)
    {
        foreach (var (key, last) in _last)
        {
            if (!IsNear(last.Instant, time))
            {
                _last.Remove(key);
            }
        }

        foreach (var (incarnation, floor) in _floors)
        {
            if (!IsNear(floor.Instant, time))
            {
                _floors.Remove(incarnation);
            }
        }

        if (_last.Count >= tooMany)
        {
            foreach (var ((incarnation, _), last) in _last)
            {
                if (last.Number > _floors.GetValueOrDefault(incarnation).Number)
                {
                    _floors[incarnation] = last;
                }
            }

            _last.Clear();
        }

        // Not before there are twice as many: a sweep looks at all of them.
        _sweepAt = Math.Min(tooMany, 2 * _last.Count);
    }
}
