namespace ServiceMesh.Links;

/// <summary>What a beat monitor asks for.</summary>
internal enum BeatState
{
    /// <summary>Beats are heard.</summary>
    Hearing,

    /// <summary>None has been heard for too long: there is a gap, and the connection is to be replaced.</summary>
    Deaf,

    /// <summary>The connection was replaced, and a message to oneself is to prove that it hears.</summary>
    Verifying,
}

/// <summary>
/// Decides from beats alone whether a connection hears: hearing → deaf → (replaced) verifying → hearing. A state machine
/// without I/O and timers: its owner sends beats, reports what was heard, and asks for the state. Thread-safe.
/// </summary>
/// <param name="limit">How long no beat may be heard.</param>
/// <param name="interval">How often <see cref="Check"/> is called. A call that comes much later proves that this process
/// itself stood still.</param>
/// <param name="clock">Measures both.</param>
internal sealed class BeatMonitor(TimeSpan limit, TimeSpan interval, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private BeatState _state = BeatState.Deaf;
    private long _lastHeard = clock.GetTimestamp();
    private long _lastCheck = clock.GetTimestamp();
    private long _lastSent;
    private long _proof;

    public BeatState State
    {
        get
        {
            lock (_lock)
            {
                return _state;
            }
        }
    }

    /// <summary>How long ago the last beat was heard.</summary>
    public TimeSpan Silence
    {
        get
        {
            lock (_lock)
            {
                return clock.GetElapsedTime(_lastHeard);
            }
        }
    }

    /// <summary>The number of the next beat to send. Beats that were sent before a replacement prove nothing about it.</summary>
    public long NextBeat()
    {
        lock (_lock)
        {
            return ++_lastSent;
        }
    }

    /// <summary>A beat was heard. True when it ended a gap.</summary>
    public bool Hear(long beat)
    {
        lock (_lock)
        {
            if (_state == BeatState.Deaf || beat > _lastSent || (_state == BeatState.Verifying && beat < _proof))
            {
                return false;
            }

            _lastHeard = clock.GetTimestamp();
            var ended = _state == BeatState.Verifying;
            _state = BeatState.Hearing;
            return ended;
        }
    }

    /// <summary>Looks at the clock. True when the connection has just been found deaf.</summary>
    public bool Check()
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            var sinceCheck = clock.GetElapsedTime(_lastCheck, now);
            _lastCheck = now;
            if (sinceCheck > interval + limit / 2)
            {
                // The process was stopped or starved, and the beats of that time may still lie unread: they get one more limit.
                _lastHeard = now;
            }

            if (_state == BeatState.Deaf || clock.GetElapsedTime(_lastHeard, now) < limit)
            {
                return false;
            }

            _state = BeatState.Deaf;
            return true;
        }
    }

    /// <summary>It is known in another way that the connection is gone. True when that is news.</summary>
    public bool Break()
    {
        lock (_lock)
        {
            var wasWhole = _state != BeatState.Deaf;
            _state = BeatState.Deaf;
            return wasWhole;
        }
    }

    /// <summary>The connection was replaced: from here on a beat proves that it hears, if it was sent after this.</summary>
    public void Replaced()
    {
        lock (_lock)
        {
            _state = BeatState.Verifying;
            _proof = _lastSent + 1;
            _lastHeard = clock.GetTimestamp();
        }
    }
}
