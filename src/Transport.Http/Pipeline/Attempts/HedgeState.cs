namespace ServiceMesh.Http;

/// <summary>What the concurrent attempts of one hedged request know of each other. Thread-safe.</summary>
internal sealed class HedgeState
{
    private int _running;
    private bool _hasAnswer;
    private bool _hasRejected;
    private RejectedResult? _worst;

    /// <summary>The attempts in flight.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Whether one of the attempts has the answer: the others are cancelled and do not count.</summary>
    public bool HasAnswer
    {
        get => Volatile.Read(ref _hasAnswer);
        set => Volatile.Write(ref _hasAnswer, value);
    }

    /// <summary>Whether the retry budget had no token for a hedge: it is asked once.</summary>
    public bool HasNoToken { get; set; }

    /// <summary>The worst result that was rejected so far; null if none was.</summary>
    public RejectedResult? Worst => Volatile.Read(ref _worst);

    /// <summary>An attempt begins.</summary>
    public void Begin() => Interlocked.Increment(ref _running);

    /// <summary>An attempt ended.</summary>
    public void End() => Interlocked.Decrement(ref _running);

    /// <summary>The result of one attempt does not count, because another attempt may have a better one.</summary>
    public void Reject(NextStep next, AttemptOutcome outcome)
    {
        var rejected = new RejectedResult(next, outcome);
        var worst = Worst;
        while ((worst is null || rejected.IsWorseThan(worst))
            && Interlocked.CompareExchange(ref _worst, rejected, worst) is var now && now != worst)
        {
            worst = now;
        }

        Volatile.Write(ref _hasRejected, true);
    }

    /// <summary>Whether a result was rejected since the last call of this method.</summary>
    public bool TakeHasRejected() => Interlocked.Exchange(ref _hasRejected, false);

    /// <summary>All concurrent attempts have ended: returns the worst rejected result, and clears it for the next ones.</summary>
    public RejectedResult? TakeWorst()
    {
        if (_worst is not { } worst)
        {
            return null;
        }

        (_worst, _hasRejected) = (null, false);
        return worst;
    }
}

/// <summary>What follows the result of an attempt. A higher value is worse.</summary>
internal enum NextStep
{
    /// <summary>The result counts.</summary>
    None,

    /// <summary>The result counts unless concurrent attempts are in flight: no other endpoint can be asked.</summary>
    Stop,

    /// <summary>Nothing ran: another endpoint is asked at once, without a token.</summary>
    Move,

    /// <summary>The request is sent again, after a pause and for a token.</summary>
    Retry,
}

/// <summary>A rejected result of one of several concurrent attempts, as far as it matters for what follows.</summary>
internal sealed record RejectedResult(NextStep Next, AttemptOutcome Outcome)
{
    // A request that may have run is worse than one that was not sent: it is not sent again without a pause.
    public bool IsWorseThan(RejectedResult other) => Next != other.Next
        ? Next > other.Next
        : Outcome.Kind != OutcomeKind.NotSent && other.Outcome.Kind == OutcomeKind.NotSent;
}
