namespace ServiceMesh.Http;

/// <summary>
/// The session of this node with one endpoint: whether there is one, and if not, why, and when it is tried again. Thread-safe.
/// </summary>
/// <param name="target">The endpoint.</param>
/// <param name="uri">Where its sessions are opened.</param>
internal sealed class SessionSlot(HttpTarget target, Uri uri)
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_maxPause = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_lastsLong = TimeSpan.FromSeconds(10);

    private volatile ClientSession? _current;
    private volatile string? _nodeId;
    private volatile string? _reason;
    private long _notBefore = long.MinValue;
    private int _isTaken;
    private int _failures;

    public HttpTarget Target => target;

    public Uri Uri => uri;

    /// <summary>The session that is open; null for none.</summary>
    public ClientSession? Current => _current is { IsUp: true } session ? session : null;

    /// <summary>Why no session is open; null while one is, and before the first was tried.</summary>
    public string? Reason => Current is null ? _reason : null;

    /// <summary>The node at the endpoint, by its document; null before the first.</summary>
    public string? NodeId
    {
        get => _nodeId;
        set
        {
            if (value is not null && value != _nodeId && !target.Endpoint.IsMany)
            {
                // Another process: what the one before refused says nothing about it.
                Volatile.Write(ref _failures, 0);
                Volatile.Write(ref _notBefore, long.MinValue);
            }

            _nodeId = value;
        }
    }

    /// <summary>Whether there can be a session at all. The two ends speak frames on HTTP/2 only.</summary>
    public bool CanHaveSession => (target.IsTls || target.IsHttp2) && !target.IsForeign;

    /// <summary>True for the one caller that may open a session now. It must call <see cref="Ended"/>.</summary>
    public bool TryTake(long now) =>
        CanHaveSession && _nodeId is not null && now >= Volatile.Read(ref _notBefore) && Interlocked.Exchange(ref _isTaken, 1) == 0;

    /// <summary>No session was tried after all.</summary>
    public void GiveBack() => Volatile.Write(ref _isTaken, 0);

    public void Opened(ClientSession session) => (_current, _reason) = (session, null);

    /// <summary>The session ended, or was not opened.</summary>
    /// <param name="why">The reason, for people.</param>
    /// <param name="lasted">How long it was open; zero if it was not.</param>
    /// <param name="clock">The clock of the node.</param>
    /// <param name="random">The source of randomness.</param>
    public void Ended(string why, TimeSpan lasted, TimeProvider clock, Random random)
    {
        _failures = lasted >= s_lastsLong ? 0 : Math.Min(_failures + 1, 30);
        var pause = _failures == 0 ? TimeSpan.Zero : s_firstPause * Math.Pow(2, _failures - 1);
        pause = (pause < s_maxPause ? pause : s_maxPause) * (0.8 + (0.4 * random.NextDouble()));
        (_current, _reason) = (null, why);
        Volatile.Write(ref _notBefore, clock.GetTimestamp() + (long)(pause.TotalSeconds * clock.TimestampFrequency));
        GiveBack();
    }
}
