namespace ServiceMesh.Http;

/// <summary>
/// The attempts of one request so far: where they went, and what is known for the next one. Attempts of a hedged request run at the
/// same time and share it; all other requests make one attempt after the other.
/// </summary>
internal sealed class AttemptHistory
{
    private Endpoint[] _tried = [];
    private Endpoint? _last;
    private int _count;
    private bool _mayHaveRun;

    /// <summary>The number of attempts that were sent.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The endpoint of the last attempt; null before the first.</summary>
    public Endpoint? Last => Volatile.Read(ref _last);

    /// <summary>The endpoints that were chosen so far.</summary>
    public Endpoint[] Tried => Volatile.Read(ref _tried);

    /// <summary>Whether an attempt may have run without an answer: then nothing later makes the request "not processed".</summary>
    public bool MayHaveRun => Volatile.Read(ref _mayHaveRun);

    /// <summary>The pause before the next attempt.</summary>
    public TimeSpan NextPause { get; set; }

    /// <summary>Whether the next attempt may go to an endpoint that was tried, because there is no other.</summary>
    public bool MayReturn { get; set; }

    /// <summary>Adds a chosen endpoint, unless another attempt has added one meanwhile.</summary>
    /// <param name="tried">What <see cref="Tried"/> was when the endpoint was chosen.</param>
    /// <param name="endpoint">The chosen endpoint.</param>
    public bool TryAdd(Endpoint[] tried, Endpoint endpoint) =>
        Interlocked.CompareExchange(ref _tried, [.. tried, endpoint], tried) == tried;

    /// <summary>An attempt is sent to an endpoint.</summary>
    public void Begin(Endpoint endpoint)
    {
        Interlocked.Increment(ref _count);
        Volatile.Write(ref _last, endpoint);
    }

    /// <summary>An attempt ended. Other attempts may be in flight, so true stays true.</summary>
    public void End(AttemptOutcome outcome)
    {
        if (outcome.MayHaveRun)
        {
            Volatile.Write(ref _mayHaveRun, true);
        }
    }
}
