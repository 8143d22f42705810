using System.Collections.Immutable;
using Polly;

namespace ServiceMesh.Http;

/// <summary>
/// One request on its way through the layers, whoever sends it: the bus, or an ordinary HttpClient. It knows how to choose
/// an endpoint and how to send one attempt; what happens between is the same for all.
/// </summary>
/// <remarks>Several attempts may run beside each other when hedging is on; everything else happens one after the other.</remarks>
internal abstract class Call<TReply>(CallSettings settings)
    where TReply : class
{
    private static readonly ResiliencePropertyKey<Call<TReply>> s_key = new("mesh-call");
    private static readonly ResiliencePropertyKey<Endpoint> s_endpoint = new("mesh-endpoint");

    private Endpoint[] _tried = [];
    private Endpoint? _last;
    private int _attempts;
    private int _running;
    private bool _hasAnswer;
    private bool _mayHaveRun;
    private bool _hasPassedOver;
    private PassedOver? _worst;

    /// <summary>How it is retried and timed.</summary>
    public CallSettings Settings => settings;

    /// <summary>Attempts that were sent.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>The pause before the next attempt, which the rules of retrying have computed.</summary>
    public TimeSpan NextPause { get; set; }

    /// <summary>Whether the next attempt may go to an endpoint again that was tried: when there is no other.</summary>
    public bool MayReturn { get; set; }

    /// <summary>Whether an attempt ended of which nobody knows if it ran: then nothing later makes the request "not processed".</summary>
    public bool MayHaveRun
    {
        get => Volatile.Read(ref _mayHaveRun);
        set => Volatile.Write(ref _mayHaveRun, value);
    }

    /// <summary>Whether attempts of it may run beside each other.</summary>
    public bool IsHedged => settings.HedgeAfter is not null && IsRepeatable;

    /// <summary>When its present attempt began, as a timestamp; of several beside each other, the last one.</summary>
    public long BeganAt { get; set; }

    /// <summary>Whether one of the attempts beside each other has the answer: the others are cancelled, and lost.</summary>
    public bool HasAnswer
    {
        get => Volatile.Read(ref _hasAnswer);
        set => Volatile.Write(ref _hasAnswer, value);
    }

    /// <summary>Attempts beside each other that are under way. Counted only where there may be several.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Whether the budget had no token for a hedge: it is asked once.</summary>
    public bool HasNoTokenToHedge { get; set; }

    /// <summary>The worst that was passed over of the attempts beside each other; null when nothing was.</summary>
    public PassedOver? Worst => Volatile.Read(ref _worst);

    /// <summary>Whether running twice does no harm: an idempotent request, or one with a key.</summary>
    public abstract bool IsRepeatable { get; }

    /// <summary>Whether there still is a body that can be sent.</summary>
    public virtual bool CanBeSentAgain => true;

    /// <summary>What the request itself says about an answer; null to leave it to the rules.</summary>
    public bool? WantsRetry(Answer<TReply> answer) => settings.RetryOn is { } wants && answer.Reply is { } reply ? wants(StatusOf(reply)) : null;

    /// <summary>The service, for telemetry.</summary>
    public abstract string Service { get; }

    /// <summary>What is left until the caller stops caring.</summary>
    public abstract TimeSpan Remaining { get; }

    /// <summary>How long it may take in all, beyond what its token says; infinite for nothing.</summary>
    public virtual TimeSpan TotalLimit => Timeout.InfiniteTimeSpan;

    /// <summary>How long one attempt may take; infinite when only the total limits it.</summary>
    public TimeSpan AttemptLimit => settings.AttemptLimit(IsRepeatable, Remaining);

    /// <summary>
    /// Whether its caller's time ran out with nothing from the endpoint for as long as an attempt may take: that speaks against the
    /// endpoint. A caller who cancels, or who had less patience than that, says nothing of it.
    /// </summary>
    public bool HasHung(TimeProvider clock) =>
        Remaining <= TimeSpan.Zero && clock.GetElapsedTime(BeganAt) >= (settings.AttemptTimeout ?? HttpTimeoutOptions.DefaultOfAttempt);

    /// <summary>The endpoint to which it was sent last, as it is named to people; null when it was not sent.</summary>
    public string? LastEndpoint => NameOf(Volatile.Read(ref _last));

    /// <summary>The call of a context.</summary>
    public static Call<TReply> Of(ResilienceContext context) => context.Properties.GetValue(s_key, null!);

    /// <summary>The endpoint of the context's present attempt.</summary>
    public static Endpoint EndpointOf(ResilienceContext context) => context.Properties.GetValue(s_endpoint, null!);

    /// <summary>Puts the call into the context in which its layers run.</summary>
    public void Enter(ResilienceContext context) => context.Properties.Set(s_key, this);

    /// <summary>One of the attempts beside each other begins, or has ended.</summary>
    public void CountRunning(int change) => Interlocked.Add(ref _running, change);

    /// <summary>An answer of one of the attempts beside each other does not count.</summary>
    public void PassOver(NextAttempt next, Verdict verdict)
    {
        var passedOver = new PassedOver(next, verdict);
        var worst = Worst;
        while ((worst is null || passedOver.IsWorseThan(worst)) && Interlocked.CompareExchange(ref _worst, passedOver, worst) is var now && now != worst)
        {
            worst = now;
        }

        Volatile.Write(ref _hasPassedOver, true);
    }

    /// <summary>Whether an answer was passed over since this was asked last.</summary>
    public bool TakeHasPassedOver() => Interlocked.Exchange(ref _hasPassedOver, false);

    /// <summary>All attempts beside each other are over: the worst that was passed over of them, which the next ones start without.</summary>
    public PassedOver? TakeWorst()
    {
        if (_worst is not { } worst)
        {
            return null;
        }

        (_worst, _hasPassedOver) = (null, false);
        return worst;
    }

    /// <summary>Ends when it is known where it can go. Only a cancellation is an exception.</summary>
    public virtual ValueTask ReadyAsync(CancellationToken cancellationToken) => default;

    /// <summary>Chooses the endpoint of an attempt and counts the attempt as in flight there. False when there is none.</summary>
    public bool TrySelect(ResilienceContext context)
    {
        Endpoint[] missed = []; // full or leaving since they were chosen: nothing was sent there, so only this choice goes round them
        while (true)
        {
            var tried = Volatile.Read(ref _tried);
            if (Pick(new PickContext { Key = HashKey, Tried = missed.Length == 0 ? tried : [.. tried, .. missed], IsLastAttempt = IsLastAttempt }) is not { } endpoint)
            {
                return false;
            }

            var isTried = tried.Contains(endpoint);
            if ((isTried && !MayReturn) || missed.Contains(endpoint))
            {
                return false;
            }

            if (!endpoint.TryBegin(limited: true))
            {
                missed = [.. missed, endpoint];
                continue;
            }

            if (!isTried && Interlocked.CompareExchange(ref _tried, [.. tried, endpoint], tried) != tried)
            {
                // A hedge has chosen meanwhile, perhaps the same one: then once more, knowing that.
                endpoint.End();
                continue;
            }

            context.Properties.Set(s_endpoint, endpoint);
            return true;
        }
    }

    /// <summary>Whether an endpoint that was not tried can take it now, be it an ejected one: better that than one that was tried.</summary>
    public bool HasAnother()
    {
        var context = new PickContext { Tried = Volatile.Read(ref _tried), IgnoresEjection = true };
        foreach (var endpoint in Endpoints)
        {
            if (context.Allows(endpoint))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Counts an attempt and sends it.</summary>
    public ValueTask<Outcome<Answer<TReply>>> BeginAsync(Endpoint endpoint, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _attempts);
        Volatile.Write(ref _last, endpoint);
        return SendAsync(endpoint, cancellationToken);
    }

    /// <summary>
    /// Sends one attempt to an endpoint. Every outcome is an answer; the only exception is the cancellation of the token, and it
    /// is returned, not thrown.
    /// </summary>
    public abstract ValueTask<Outcome<Answer<TReply>>> SendAsync(Endpoint endpoint, CancellationToken cancellationToken);

    /// <summary>An endpoint as it is named to people: with its scheme.</summary>
    public abstract string Describe(Endpoint endpoint);

    /// <summary>The same; null when there is none.</summary>
    public string? NameOf(Endpoint? endpoint) => endpoint is null ? null : Describe(endpoint);

    /// <summary>Why nobody can take it, after what attempts there were.</summary>
    public abstract Answer<TReply> NobodyCanTake();

    /// <summary>The answer when the client has <paramref name="most"/> requests under way already.</summary>
    public abstract Answer<TReply> TooMany(int most);

    /// <summary>An answer is about to be discarded for another attempt.</summary>
    public virtual void Discard(Answer<TReply> answer)
    {
    }

    /// <summary>The attempt at an endpoint is over, as <see cref="Endpoint.End"/> wants to know.</summary>
    public virtual void End(Endpoint endpoint, Outcome<Answer<TReply>> outcome) => endpoint.End();

    /// <summary>Whether the body is still there after an attempt that has sent it.</summary>
    protected virtual bool BodySurvivesAttempts => true;

    // What has no other attempt left is not spent on a server that is known to be bad.
    private bool IsLastAttempt => !IsRepeatable || Attempts + 1 >= settings.Attempts || !BodySurvivesAttempts;

    /// <summary>All that may take it, whether or not they can now.</summary>
    protected abstract ImmutableArray<Endpoint> Endpoints { get; }

    protected abstract int StatusOf(TReply reply);

    /// <summary>What <c>ConsistentHash</c> hashes; null for none.</summary>
    protected abstract string? HashKey { get; }

    protected abstract Endpoint? Pick(in PickContext context);
}
