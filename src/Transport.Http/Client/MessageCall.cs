using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>A request of the bus on its way to one of the nodes, or foreign servers, that handle its topic.</summary>
internal sealed class MessageCall(Message message, RequestRoute route, Routes routes, MessageSender sender) : Call<ReplyMessage>(route.Settings.With(message.Retry))
{
    private const int MostListed = 5;

    private StrongBox<Answer<ReplyMessage>>? _best; // a box, because attempts beside each other may come to it at once

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
        var mine = new StrongBox<Answer<ReplyMessage>>(answer);
        var best = Volatile.Read(ref _best);
        while ((best is null || Rank(answer) >= Rank(best.Value)) && Interlocked.CompareExchange(ref _best, mine, best) is var now && now != best)
        {
            best = now;
        }
    }

    public override Answer<ReplyMessage> NobodyCanTake() => _best?.Value ?? new(Unavailable(), Verdict.NotSent with { IsAgainstEndpoint = false });

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
        if (MayHaveRun && answer.Verdict.Result is AttemptResult.NotSent or AttemptResult.Declined && _best is { Value.Verdict.Result: AttemptResult.Broken } best)
        {
            answer = best.Value;
        }

        if (answer.Failure is null)
        {
            return MayHaveRun && answer.Reply!.NotProcessed ? InDoubt(answer.Reply) : answer.Reply!;
        }

        if (answer.Failure is CircuitOpenException open)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, open.Message, notProcessed: !MayHaveRun, open.RetryAfter);
        }

        var often = Attempts > 1 ? $" It was attempt {Attempts}." : "";
        return answer.Verdict.Result == AttemptResult.NotSent
            ? ReplyMessage.Failure(StatusCode.Unavailable, $"{NameOf(answer.FailedAt)} cannot be reached: {Connections.ReasonOf(answer.Failure)}.{often}", notProcessed: !MayHaveRun)
            : ReplyMessage.Failure(
                StatusCode.Unavailable,
                answer.Failure is PhaseTimeoutException timeout
                    ? $"{timeout.Message}{often} Whether a handler ran is not known."
                    : $"The connection to {NameOf(answer.FailedAt)} broke while waiting for the reply ({Connections.ReasonOf(answer.Failure)}).{often} Whether a handler ran is not known.");
    }

    protected override ImmutableArray<Endpoint> Endpoints => route.Endpoints;

    protected override int StatusOf(ReplyMessage reply) => (int)reply.Status;

    protected override string? HashKey => message.Headers[route.HashHeader];

    protected override Endpoint? Pick(in PickContext context) => route.Balancer.Pick(context);

    // Who answered last ran nothing; an attempt before may have.
    private static ReplyMessage InDoubt(ReplyMessage refusal) => ReplyMessage.Failure(
        refusal.Status, $"{refusal.Error} An attempt before had failed, and whether a handler ran is not known.", notProcessed: false, refusal.RetryAfter);

    private static int Rank(Answer<ReplyMessage> answer) => answer switch
    {
        { Verdict.Result: AttemptResult.Broken } => 4,
        { Reply.Status: StatusCode.Overloaded } => 3,
        { Reply.Status: StatusCode.NotFound } => 1,
        _ => 2,
    };

    // What all have in common is said of all; otherwise what each is. One that is full may have a place at any moment.
    private ReplyMessage Unavailable()
    {
        var others = route.Endpoints.Select(routes.MemberOf).OfType<Member>().Select(m => (Member: m, Why: Obstacles.Of(m.Endpoint))).ToArray();
        foreach (var service in others.Select(o => o.Member.Service).Distinct())
        {
            service.Group.AskAgainIfNoneAnswers();
        }

        var refusal = others.Where(o => o.Why == Obstacle.Open).Select(o => o.Member.Endpoint.Breaker.Refusal()).MinBy(r => r.RetryAfter ?? TimeSpan.MaxValue);
        var all = others.Select(o => o.Why).Distinct().ToArray();
        var most = string.Join(", ", others.Take(MostListed).Select(o => o.Member.ToString()));
        var said = all switch
        {
            [Obstacle.Full] => $"Every node that handles '{message.Topic}' has as many requests under way from here as ServiceMesh:Http:Limits:ConcurrencyPerEndpoint allows: {most}.",
            [Obstacle.Open] => $"No node that handles '{message.Topic}' may be called now. {refusal!.Message}",
            [Obstacle.Leaving] => $"Every node that handles '{message.Topic}' is shutting down: {most}.",
            [] or [Obstacle.Unreachable] => $"Every node that handles '{message.Topic}' is unreachable: {string.Join(", ", others.Take(MostListed).Select(o => $"{o.Member} {o.Member.Trouble}"))}.",
            _ => $"No node that handles '{message.Topic}' can take a request now: {string.Join("; ", others.Take(MostListed).Select(o => $"{o.Member} {Obstacles.Describe(o.Member.Endpoint, o.Why, o.Member.Trouble)}"))}.",
        };
        return ReplyMessage.Failure(all.Contains(Obstacle.Full) ? StatusCode.Overloaded : StatusCode.Unavailable, said, notProcessed: true, refusal?.RetryAfter);
    }
}
