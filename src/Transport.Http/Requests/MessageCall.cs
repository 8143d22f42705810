using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>A request of the bus on its way to one of the nodes, or foreign servers, that handle its topic.</summary>
internal sealed class MessageCall(Message message, RequestRoute route, Routes routes, MessageSender sender)
    : Call<ReplyMessage>(route.Settings.With(message.Retry))
{
    private StrongBox<AttemptResult<ReplyMessage>>? _best; // a box, because concurrent attempts may set it at the same time

    public override bool IsRepeatable => message.IsRepeatable;

    public override string Service => route.Service;

    public override TimeSpan Remaining => message.Deadline.Remaining;

    public override ImmutableArray<Endpoint> Endpoints => route.Endpoints;

    // A topic has one path at a service, so hashing either is the same.
    public override string? HashKey => route.HashBy == HashBy.Header ? message.Headers[route.HashHeader] : message.Topic.ToString();

    public override Endpoint? Pick(in PickContext context) => route.Balancer.Pick(context);

    public override ValueTask<Outcome<AttemptResult<ReplyMessage>>> SendAsync(Endpoint endpoint, CancellationToken cancellationToken) =>
        routes.MemberOf(endpoint) is { } member
            ? sender.SendAsync(message, member, this, cancellationToken)
            : sender.RunHereAsync(message, endpoint, cancellationToken);

    public override string Describe(Endpoint endpoint) => routes.MemberOf(endpoint)?.ToString() ?? "this node";

    // Keeps the most informative result for the case that all endpoints refuse.
    public override void Discard(AttemptResult<ReplyMessage> result)
    {
        var mine = new StrongBox<AttemptResult<ReplyMessage>>(result);
        var best = Volatile.Read(ref _best);
        while ((best is null || Rank(result) >= Rank(best.Value))
            && Interlocked.CompareExchange(ref _best, mine, best) is var now && now != best)
        {
            best = now;
        }
    }

    public override AttemptResult<ReplyMessage> NoEndpoint()
    {
        foreach (var service in route.Endpoints.Select(routes.MemberOf).OfType<Member>().Select(m => m.Service).Distinct())
        {
            service.Group.AskAgainIfNoneAnswers();
        }

        return _best?.Value ?? new(NoEndpointReply.For(message.Topic, route, routes), AttemptOutcome.NotMade);
    }

    public override void End(Endpoint endpoint, Outcome<AttemptResult<ReplyMessage>> end)
    {
        base.End(endpoint, end);
        if (end is { Exception: null, Result.Failure: not null })
        {
            routes.MemberOf(endpoint)?.Service.Group.AskAgainIfNoneAnswers();
        }
    }

    public override AttemptResult<ReplyMessage> TooMany(int max) => new(
        ReplyMessage.Failure(
            StatusCode.Overloaded,
            $"This node has {max} requests in flight over HTTP, the limit of Http:Limits:Concurrency.",
            notProcessed: true),
        AttemptOutcome.Refused);

    /// <summary>The reply that the caller receives.</summary>
    public ReplyMessage Complete(AttemptResult<ReplyMessage> result)
    {
        // A result of an attempt that may have run matters more than a later refusal.
        if (Attempts.MayHaveRun && result.Outcome.Kind is OutcomeKind.NotSent or OutcomeKind.Declined
            && _best is { Value.Outcome.Kind: OutcomeKind.Broken } best)
        {
            result = best.Value;
        }

        if (result.Failure is null)
        {
            return Attempts.MayHaveRun && result.Reply!.NotProcessed ? InDoubt(result.Reply) : result.Reply!;
        }

        if (result.Failure is CircuitOpenException open)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, open.Message, notProcessed: !Attempts.MayHaveRun, open.RetryAfter);
        }

        var often = Attempts.Count > 1 ? $" It was attempt {Attempts.Count}." : "";
        var why = SendFailure.Describe(result.Failure);
        if (result.Outcome.Kind == OutcomeKind.NotSent)
        {
            return ReplyMessage.Failure(
                StatusCode.Unavailable, $"{NameOf(result.FailedAt)} cannot be reached: {why}.{often}", notProcessed: !Attempts.MayHaveRun);
        }

        var what = result.Failure is PhaseTimeoutException timeout
            ? timeout.Message
            : $"The connection to {NameOf(result.FailedAt)} broke while waiting for the reply ({why}).";
        return ReplyMessage.Failure(StatusCode.Unavailable, $"{what}{often} It is not known whether a handler ran.");
    }

    protected override int StatusOf(ReplyMessage reply) => (int)reply.Status;

    // The endpoint that answered last ran nothing, but an earlier attempt may have run.
    private static ReplyMessage InDoubt(ReplyMessage refusal) => ReplyMessage.Failure(
        refusal.Status, $"{refusal.Error} An earlier attempt failed, and it is not known whether a handler ran.", notProcessed: false,
        refusal.RetryAfter);

    private static int Rank(AttemptResult<ReplyMessage> result) => result switch
    {
        { Outcome.Kind: OutcomeKind.Broken } => 4,
        { Reply.Status: StatusCode.Overloaded } => 3,
        { Reply.Status: StatusCode.NotFound } => 1,
        _ => 2,
    };
}
