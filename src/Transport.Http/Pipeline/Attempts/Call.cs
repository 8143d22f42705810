using System.Collections.Immutable;
using Polly;

namespace ServiceMesh.Http;

/// <summary>
/// The facts of one request on its way through the pipeline, for the bus and for HttpClients alike: how it is retried and timed, which
/// endpoints may take it, and how one attempt is sent. Everything between those is the same for all requests.
/// </summary>
/// <typeparam name="TReply">What the caller receives: a reply of the bus, or an HTTP response.</typeparam>
internal abstract class Call<TReply>(CallSettings settings)
    where TReply : class
{
    private static readonly ResiliencePropertyKey<Call<TReply>> s_call = new("mesh-call");

    private Outcome<AttemptResult<TReply>>? _first;
    private NextStep? _afterFirst;

    /// <summary>How the request is retried and timed.</summary>
    public CallSettings Settings => settings;

    /// <summary>The attempts so far.</summary>
    public AttemptHistory Attempts { get; } = new();

    /// <summary>
    /// What concurrent attempts know of each other; null for a request that is not hedged, and before it enters the pipeline.
    /// </summary>
    public HedgeState? Hedge { get; private set; }

    /// <summary>Whether attempts may run at the same time.</summary>
    public bool IsHedged => settings.HedgeAfter is not null && MayBeAttemptedAgain;

    /// <summary>
    /// Whether an attempt that was sent can be followed by another one: the request is repeatable, its body can be sent again, and more
    /// than one attempt is allowed. Only such a request has an attempt timeout by default, because without another attempt a timeout would
    /// only lose the answer.
    /// </summary>
    public bool MayBeAttemptedAgain => IsRepeatable && BodySurvivesAttempts && settings.Attempts > 1;

    /// <summary>Whether running the request twice does no harm: it is idempotent, or it has an idempotency key.</summary>
    public abstract bool IsRepeatable { get; }

    /// <summary>Whether the body can still be sent.</summary>
    public virtual bool CanBeSentAgain => true;

    /// <summary>The service, for telemetry.</summary>
    public abstract string Service { get; }

    /// <summary>The time that is left until the caller stops waiting.</summary>
    public abstract TimeSpan Remaining { get; }

    /// <summary>The total timeout, where the caller's token does not fire at the deadline itself; otherwise infinite.</summary>
    public virtual TimeSpan TotalLimit => Timeout.InfiniteTimeSpan;

    /// <summary>How long one attempt may take; infinite if only the total time limits it.</summary>
    public TimeSpan AttemptLimit => settings.AttemptLimit(MayBeAttemptedAgain, Remaining);

    /// <summary>
    /// Whether no other attempt can follow the next one. Such an attempt is not spent on an endpoint that is known to fail.
    /// </summary>
    public bool IsLastAttempt => !MayBeAttemptedAgain || Attempts.Count + 1 >= settings.Attempts;

    /// <summary>All endpoints that may take the request, whether or not they can now.</summary>
    public abstract ImmutableArray<Endpoint> Endpoints { get; }

    /// <summary>What <c>ConsistentHash</c> hashes; null for nothing.</summary>
    public abstract string? HashKey { get; }

    /// <summary>The call of a context.</summary>
    public static Call<TReply> Of(ResilienceContext context) => context.Properties.GetValue(s_call, null!);

    /// <summary>Puts the call into the context in which Polly's layers run.</summary>
    /// <param name="context">The context.</param>
    /// <param name="first">The end of the first attempt, which the layers have not seen; not used for a hedged request.</param>
    /// <param name="next">What follows the first attempt.</param>
    public void Enter(ResilienceContext context, Outcome<AttemptResult<TReply>> first, NextStep next)
    {
        Hedge = IsHedged ? new() : null;
        (_first, _afterFirst) = IsHedged ? (default(Outcome<AttemptResult<TReply>>?), default(NextStep?)) : (first, next);
        context.Properties.Set(s_call, this);
    }

    /// <summary>Takes the end of the first attempt. False if there is none, or it was taken.</summary>
    public bool TryTakeFirst(out Outcome<AttemptResult<TReply>> end)
    {
        end = _first.GetValueOrDefault();
        var isFirst = _first is not null;
        _first = null;
        return isFirst;
    }

    /// <summary>Takes what follows the first attempt. Null if there was none, or it was taken.</summary>
    public NextStep? TakeAfterFirst()
    {
        var next = _afterFirst;
        _afterFirst = null;
        return next;
    }

    /// <summary>
    /// Whether the caller's time ran out with no answer for as long as an attempt may take: that counts against the endpoint. A caller
    /// that cancels, or that gives less time than that, says nothing about the endpoint.
    /// </summary>
    /// <param name="latency">How long the attempt has lasted.</param>
    public bool HasHung(TimeSpan latency) =>
        Remaining <= TimeSpan.Zero && latency >= (settings.AttemptTimeout ?? HttpTimeoutOptions.DefaultOfAttempt);

    /// <summary>What the request itself says about retrying after an answer; null to leave it to the rules.</summary>
    public virtual bool? WantsRetry(AttemptResult<TReply> result) =>
        settings.RetryOn is { } wants && result.Reply is { } reply ? wants(StatusOf(reply)) : null;

    /// <summary>Whether an endpoint that was not tried can take the request now, even an ejected one.</summary>
    public bool HasUntriedEndpoint()
    {
        var context = new PickContext { Tried = Attempts.Tried, IgnoresEjection = true };
        foreach (var endpoint in Endpoints)
        {
            if (context.Allows(endpoint))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The name of an endpoint for messages; null for null.</summary>
    public string? NameOf(Endpoint? endpoint) => endpoint is null ? null : Describe(endpoint);

    /// <summary>
    /// Whether nothing that an attempt was given looks at its token after its end, so that the token can serve again. Attempts of a hedged
    /// request may end after the request.
    /// </summary>
    public virtual bool ReleasesTokens => Hedge is null;

    /// <summary>Completes when the addresses are known. It throws only if the token fires.</summary>
    public virtual ValueTask ReadyAsync(CancellationToken cancellationToken) => default;

    /// <summary>Asks the balancer for an endpoint.</summary>
    public abstract Endpoint? Pick(in PickContext context);

    /// <summary>Counts an attempt and sends it.</summary>
    public ValueTask<Outcome<AttemptResult<TReply>>> BeginAsync(Endpoint endpoint, CancellationToken cancellationToken)
    {
        Attempts.Begin(endpoint);
        return SendAsync(endpoint, cancellationToken);
    }

    /// <summary>
    /// Sends one attempt to an endpoint. Every end is a result; the only exception is the cancellation of the token, which is returned and
    /// not thrown.
    /// </summary>
    public abstract ValueTask<Outcome<AttemptResult<TReply>>> SendAsync(Endpoint endpoint, CancellationToken cancellationToken);

    /// <summary>The name of an endpoint for messages, with its scheme.</summary>
    public abstract string Describe(Endpoint endpoint);

    /// <summary>Why no endpoint can take the request, after the attempts so far.</summary>
    public abstract AttemptResult<TReply> NoEndpoint();

    /// <summary>The result if the client has <paramref name="max"/> requests in flight already.</summary>
    public abstract AttemptResult<TReply> TooMany(int max);

    /// <summary>The pause before the next attempt, or zero after it, if the call blocks its thread.</summary>
    /// <param name="cancellationToken">Ends a pause that blocks.</param>
    public virtual TimeSpan TakePause(CancellationToken cancellationToken) => Attempts.NextPause;

    /// <summary>A result is about to be discarded for another attempt.</summary>
    public virtual void Discard(AttemptResult<TReply> result)
    {
    }

    /// <summary>The attempt at an endpoint has ended: see <see cref="Endpoint.End"/>.</summary>
    public virtual void End(Endpoint endpoint, Outcome<AttemptResult<TReply>> end) => endpoint.End();

    /// <summary>Whether the body can be sent again after an attempt that has sent it.</summary>
    protected virtual bool BodySurvivesAttempts => true;

    protected abstract int StatusOf(TReply reply);
}
