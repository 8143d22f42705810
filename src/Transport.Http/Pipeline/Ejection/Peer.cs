namespace ServiceMesh.Http;

/// <summary>An endpoint as one of a group: its conduct, and whether it is ejected. Recording takes no lock and allocates nothing.</summary>
/// <param name="endpoint">Which.</param>
/// <param name="group">Its group.</param>
/// <param name="window">Empty.</param>
internal sealed class Peer(Endpoint endpoint, OutlierEjection group, OutcomeWindow window)
{
    private OutcomeWindow _window = window;
    private int _failuresInRow;
    private volatile bool _isEjected;

    public Endpoint Endpoint => endpoint;

    public OutlierEjection Group => group;

    public bool IsEjected => _isEjected;

    /// <summary>How often it was ejected, less what good conduct took off. This and what follows belongs to who has the group's lock.</summary>
    public int Times { get; set; }

    public long LeftAt { get; set; }

    public long ReturnedAt { get; set; }

    public TimeSpan Time { get; set; }

    public ITimer? Timer { get; set; }

    /// <summary>Takes one outcome in. While it is ejected, what began before, or was sent in panic, changes nothing.</summary>
    public void Record(bool failed)
    {
        if (_isEjected)
        {
            return;
        }

        var looks = Volatile.Read(ref _window).Count(failed, group.Clock.Now, out var own);
        if (!failed)
        {
            // Written only when it changes, so that successes of many threads do not contend for it.
            if (Volatile.Read(ref _failuresInRow) != 0)
            {
                Volatile.Write(ref _failuresInRow, 0);
            }
        }
        else if (Interlocked.Increment(ref _failuresInRow) >= group.Settings.ConsecutiveFailures)
        {
            group.Eject(this, EjectionCause.ConsecutiveFailures);
            return;
        }

        if (looks && own.Failures > 0 && own.Total >= group.Settings.MinimumRequests && group.IsWorseThanPeers(this, own))
        {
            group.Eject(this, EjectionCause.FailureRate);
        }
    }

    /// <summary>What came within the window. False when another thread looks at this moment.</summary>
    public bool TryRead(out Outcomes within) => Volatile.Read(ref _window).TryRead(group.Clock.Now, out within);

    public void Leave() => _isEjected = true;

    /// <summary>Comes back as if it were new: what it did before is forgotten, and it starts slowly.</summary>
    public void Return(OutcomeWindow window)
    {
        Volatile.Write(ref _window, window);
        Volatile.Write(ref _failuresInRow, 0);
        endpoint.StartSlowly();
        _isEjected = false;
    }
}
