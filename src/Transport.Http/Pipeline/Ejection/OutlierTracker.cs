namespace ServiceMesh.Http;

/// <summary>
/// The recent outcomes of one endpoint of a group, and whether it is ejected. Recording takes no lock and allocates nothing.
/// </summary>
/// <param name="endpoint">The endpoint.</param>
/// <param name="group">The group of the endpoint.</param>
/// <param name="window">An empty window.</param>
internal sealed class OutlierTracker(Endpoint endpoint, OutlierEjection group, OutcomeWindow window)
{
    private OutcomeWindow _window = window;
    private int _consecutiveFailures;
    private volatile bool _isEjected;

    public Endpoint Endpoint => endpoint;

    public OutlierEjection Group => group;

    public bool IsEjected => _isEjected;

    /// <summary>
    /// How often the endpoint was ejected, less what good periods subtracted. This property and the following ones belong to the thread
    /// that holds the group's lock.
    /// </summary>
    public int Times { get; set; }

    public long LeftAt { get; set; }

    public long ReturnedAt { get; set; }

    public TimeSpan Time { get; set; }

    public ITimer? Timer { get; set; }

    /// <summary>
    /// Records one outcome. While the endpoint is ejected nothing is recorded: those attempts began before, or were sent while the group
    /// ignored ejection.
    /// </summary>
    public void Record(bool failed)
    {
        if (_isEjected)
        {
            return;
        }

        var compares = Volatile.Read(ref _window).Count(failed, group.Clock.Now, out var own);
        if (!failed)
        {
            // Written only when it changes, so that successes on many threads do not contend for it.
            if (Volatile.Read(ref _consecutiveFailures) != 0)
            {
                Volatile.Write(ref _consecutiveFailures, 0);
            }
        }
        else if (Interlocked.Increment(ref _consecutiveFailures) >= group.Settings.ConsecutiveFailures)
        {
            group.Eject(this, EjectionCause.ConsecutiveFailures);
            return;
        }

        if (compares && own.Failures > 0 && own.Total >= group.Settings.MinimumRequests && group.IsWorseThanPeers(this, own))
        {
            group.Eject(this, EjectionCause.FailureRate);
        }
    }

    /// <summary>Reads the outcomes within the window. False if another thread reads at this moment.</summary>
    public bool TryRead(out Outcomes within) => Volatile.Read(ref _window).TryRead(group.Clock.Now, out within);

    public void Leave() => _isEjected = true;

    /// <summary>The endpoint returns as if it were new: its earlier outcomes are forgotten, and it starts slowly.</summary>
    public void Return(OutcomeWindow window)
    {
        Volatile.Write(ref _window, window);
        Volatile.Write(ref _consecutiveFailures, 0);
        endpoint.StartSlowly();
        _isEjected = false;
    }
}
