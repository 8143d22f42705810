using System.Runtime.CompilerServices;
using Polly;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>
/// Sends one attempt over the session with its endpoint, where there is one. What did not leave goes by exchange, in the same attempt.
/// </summary>
internal sealed class SessionSender(NodeSessions sessions, TransportContext context, PeerDirectory peers)
{
    /// <summary>The session for a request to a member; null if there is none, or if the request is too large for one.</summary>
    public ClientSession? Find(Message request, Member member) =>
        request.Body.Length <= SessionProtocol.MaxMessageBytes ? sessions.Find(member.Session) : null;

    /// <summary>Sends an attempt. Null if it did not leave.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Outcome<AttemptResult<ReplyMessage>>?> SendAsync(
        ClientSession session, Message request, Member member, MessageCall call, CancellationToken cancellationToken)
    {
        var headersLimit = call.Settings.HeadersLimit(call.MayBeAttemptedAgain, call.Remaining);
        if (headersLimit > TimeSpan.Zero || AttemptSpan.IsWanted)
        {
            return await SendObservedAsync(session, request, member, call, headersLimit, cancellationToken).ConfigureAwait(false);
        }

        var began = context.Clock.GetTimestamp();
        LinkAnswer answer;
        try
        {
            answer = await session.SendAsync(request, "", cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
        {
            return Outcome.FromException<AttemptResult<ReplyMessage>>(cancelled);
        }

        return Read(answer, session, request, member, began);
    }

    // With a span, and with a limit of its own until the answer begins, which over a session is when it comes.
    private async ValueTask<Outcome<AttemptResult<ReplyMessage>>?> SendObservedAsync(
        ClientSession session, Message request, Member member, MessageCall call, TimeSpan limit, CancellationToken cancellationToken)
    {
        var uri = member.UriOf(request.Kind, request.Topic);
        using var span = AttemptSpan.Start("POST", uri, member.Target, call.Service, call.Attempts.Count - 1);
        var sent = span.Id is { } id ? request with { Headers = request.Headers.WithTrusted("traceparent", id) } : request;
        using var timer = new CancellationTokenSource(limit > TimeSpan.Zero ? limit : Timeout.InfiniteTimeSpan, context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        var began = context.Clock.GetTimestamp();
        LinkAnswer answer;
        try
        {
            answer = await session.SendAsync(sent, "", either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                span.Fail(cancelled, cancelled: true);
                return Outcome.FromException<AttemptResult<ReplyMessage>>(
                    new OperationCanceledException(cancelled.Message, cancelled, cancellationToken));
            }

            var timeout = new PhaseTimeoutException(TimeoutPhase.ResponseHeaders, limit, member.Target.Name, cancelled);
            span.Fail(timeout, cancelled: false);
            peers.ProbeNow(member.Endpoint);
            return Outcome.FromResult(new AttemptResult<ReplyMessage>(null, AttemptOutcome.OfFailure(wasSent: true), timeout));
        }

        var end = Read(answer, session, request, member, began);
        if (end is { Result: { Failure: null, Reply: { } reply } })
        {
            span.End((int)reply.Status);
        }
        else if (end is { Result.Failure: { } failure })
        {
            span.Fail(failure, cancelled: false);
        }

        return end;
    }

    private Outcome<AttemptResult<ReplyMessage>>? Read(
        LinkAnswer answer, ClientSession session, Message request, Member member, long began)
    {
        switch (answer.Kind)
        {
            case AnswerKind.Refusal when answer.Reply.Status == StatusCode.Unauthorized:
                return null; // the session may be older than the token that an exchange sends
            case AnswerKind.Reply or AnswerKind.Refusal:
                return Outcome.FromResult(Answered(answer, request, member, context.Clock.GetElapsedTime(began)));
            case AnswerKind.Lost:
                // Many messages share one connection, so its end does not count against the endpoint: the probe that follows decides.
                peers.ProbeNow(member.Endpoint);
                return Outcome.FromResult(new AttemptResult<ReplyMessage>(
                    null, AttemptOutcome.OfFailure(wasSent: true, isOrderly: true),
                    new SessionLostException(session.Why ?? answer.Reply.Error!)));
            default:
                return null;
        }
    }

    private static AttemptResult<ReplyMessage> Answered(LinkAnswer answer, Message request, Member member, TimeSpan latency)
    {
        var (reply, endpoint) = (answer.Reply, member.Endpoint);
        if (answer.Load is { } load)
        {
            endpoint.ReportedLoad = load / (double)SessionProtocol.LoadUnit;
        }

        if (answer.IsLeaving && endpoint.State == EndpointState.Healthy)
        {
            endpoint.State = EndpointState.Draining;
        }

        endpoint.RecordBytes(request.Body.Length + reply.Body.Length);
        return new(reply, AttemptOutcome.OfAnswer((int)reply.Status, isFromNode: true, reply.NotProcessed, reply.RetryAfter, latency));
    }
}
