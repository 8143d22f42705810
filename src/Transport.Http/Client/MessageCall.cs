using System.Collections.Immutable;
using Polly;

namespace ServiceMesh.Http;

/// <summary>A request of the bus on its way to one of the nodes, or foreign servers, that handle its topic.</summary>
internal sealed class MessageCall(Message message, RequestRoute route, Routes routes, MessageSender sender) : Call<ReplyMessage>(route.Settings.With(message.Retry))
{
    private Answer<ReplyMessage>? _best;

    public override bool IsRepeatable => message.IsRepeatable;

    public override string Service => route.Service;

    public override TimeSpan Remaining => message.Deadline.Remaining;

    public override ValueTask<Outcome<Answer<ReplyMessage>>> SendAsync(Endpoint endpoint, CancellationToken cancellationToken) => routes.MemberOf(endpoint) is { } member
        ? sender.OverHttpAsync(message, member, this, cancellationToken)
        : sender.InProcessAsync(message, endpoint, cancellationToken);

    public override string Describe(Endpoint endpoint) => routes.MemberOf(endpoint)?.ToString() ?? "this node";

    // What is most worth knowing when all refuse.
    public override void Discard(Answer<ReplyMessage> answer)
    {
        if (_best is not { } best || Rank(answer) >= Rank(best))
        {
            _best = answer;
        }
    }

    public override Answer<ReplyMessage> NobodyCanTake() => _best ?? new(Unavailable(), Verdict.NotSent with { IsAgainstEndpoint = false });

    public override Answer<ReplyMessage> TooMany(int most) => new(
        ReplyMessage.Failure(
            StatusCode.Overloaded,
            $"This node has {most} requests under way over HTTP already, which is as many as ServiceMesh:Http:Limits:Concurrency allows.",
            notProcessed: true),
        Verdict.Answered);

    /// <summary>What the caller gets.</summary>
    public ReplyMessage Complete(Answer<ReplyMessage> answer)
    {
        // What is not known to have run is worth more than who refused it last.
        if (MayHaveRun && answer.Verdict.Result is AttemptResult.NotSent or AttemptResult.Declined && _best is { Verdict.Result: AttemptResult.Broken } best)
        {
            answer = best;
        }

        if (answer.Failure is null)
        {
            return answer.Reply!;
        }

        if (answer.Failure is CircuitOpenException open)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, open.Message, notProcessed: !MayHaveRun, open.RetryAfter);
        }

        var often = Attempts > 1 ? $" It was attempt {Attempts}." : "";
        return answer.Verdict.Result == AttemptResult.NotSent
            ? ReplyMessage.Failure(StatusCode.Unavailable, $"{LastEndpoint} cannot be reached: {Connections.ReasonOf(answer.Failure)}.{often}", notProcessed: !MayHaveRun)
            : ReplyMessage.Failure(
                StatusCode.Unavailable,
                answer.Failure is PhaseTimeoutException timeout
                    ? $"{timeout.Message}{often} Whether a handler ran is not known."
                    : $"The connection to {LastEndpoint} broke while waiting for the reply ({Connections.ReasonOf(answer.Failure)}).{often} Whether a handler ran is not known.");
    }

    protected override ImmutableArray<Endpoint> Endpoints => route.Endpoints;

    protected override int StatusOf(ReplyMessage reply) => (int)reply.Status;

    protected override string? HashKey => message.Headers[route.HashHeader];

    protected override Endpoint? Pick(in PickContext context) => route.Balancer.Pick(context);

    private static int Rank(Answer<ReplyMessage> answer) => answer switch
    {
        { Verdict.Result: AttemptResult.Broken } => 4,
        { Reply.Status: StatusCode.Overloaded } => 3,
        { Reply.Status: StatusCode.NotFound } => 1,
        _ => 2,
    };

    private ReplyMessage Unavailable()
    {
        var others = route.Endpoints.Select(routes.MemberOf).OfType<Member>().ToArray();
        var full = others.Where(m => m.Endpoint is { State: EndpointState.Healthy, IsFull: true }).ToArray();
        if (full.Length > 0)
        {
            return ReplyMessage.Failure(
                StatusCode.Overloaded,
                $"Every node that handles '{message.Topic}' has as many requests under way from here as ServiceMesh:Http:Limits:ConcurrencyPerEndpoint allows: {Listed(full)}.",
                notProcessed: true);
        }

        var open = others.Where(m => m.Endpoint is { State: EndpointState.Healthy, Breaker.WouldAdmit: false }).ToArray();
        if (open.Length > 0)
        {
            var refusal = open.Select(m => m.Endpoint.Breaker.Refusal()).MinBy(r => r.RetryAfter ?? TimeSpan.MaxValue)!;
            return ReplyMessage.Failure(StatusCode.Unavailable, $"No node that handles '{message.Topic}' may be called now. {refusal.Message}", notProcessed: true, refusal.RetryAfter);
        }

        var leaving = others.Where(m => m.Endpoint.State == EndpointState.Draining).ToArray();
        return ReplyMessage.Failure(
            StatusCode.Unavailable,
            leaving.Length > 0
                ? $"Every node that handles '{message.Topic}' is shutting down: {Listed(leaving)}."
                : $"Every node that handles '{message.Topic}' is unreachable: {string.Join(", ", others.Take(3).Select(m => $"{m} {m.Trouble}"))}.",
            notProcessed: true);
    }

    private static string Listed(IEnumerable<Member> members) => string.Join(", ", members.Take(3).Select(m => m.ToString()));
}
