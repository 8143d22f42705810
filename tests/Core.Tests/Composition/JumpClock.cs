namespace ServiceMesh.Core.Tests;

/// <summary>
/// A clock that jumps. The timers of one jump fire with the latest first, so a deadline around another one has passed before the
/// inner one is told: as if both had passed at the same instant, whatever continues inline.
/// </summary>
internal sealed class JumpClock : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<JumpTimer> _timers = [];
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public override DateTimeOffset GetUtcNow() => new(GetTimestamp(), TimeSpan.Zero);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new JumpTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Jump(TimeSpan time)
    {
        JumpTimer[] due;
        lock (_gate)
        {
            Interlocked.Add(ref _now, time.Ticks);
            due = [.. _timers.Where(timer => timer.DueAt <= _now).OrderByDescending(timer => timer.DueAt)];
            _timers.RemoveAll(timer => timer.DueAt <= _now);
        }

        foreach (var timer in due)
        {
            timer.Fire();
        }
    }

    private sealed class JumpTimer(JumpClock clock, TimerCallback callback, object? state) : ITimer
    {
        public long DueAt { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                clock._timers.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    DueAt = clock._now + dueTime.Ticks;
                    clock._timers.Add(this);
                }
            }

            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
