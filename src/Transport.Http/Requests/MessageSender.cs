using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>The last step of a request of the bus: sends one attempt to one endpoint and classifies its reply.</summary>
internal sealed class MessageSender(HttpNode node, ConnectionPool connections, BufferedClient client, PeerDirectory peers)
{
    /// <summary>Sends an attempt to another node, or to a foreign server.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Outcome<AttemptResult<ReplyMessage>>> SendAsync(
        Message request, Member member, MessageCall call, CancellationToken cancellationToken)
    {
        var uri = member.UriOf(request.Kind, request.Topic);
        using var span = AttemptSpan.Start("POST", uri, member.Target, call.Service, call.Attempts.Count - 1);
        using var attempt = client.Make(member.Target, HttpMethod.Post, uri, request.ContentType, request.Body);
        try
        {
            MessageWire.Write(request, attempt.Headers, static (headers, name, value) => headers.TryAddWithoutValidation(name, value));
            span.Inject(attempt.Headers);
            var headersLimit = call.Settings.HeadersLimit(call.MayBeAttemptedAgain, call.Remaining);
            var exchange = await client.SendAsync(attempt, member.Target, node.Context.MaxBodyBytes, headersLimit, cancellationToken)
                .ConfigureAwait(false);
            span.End(exchange.Status);
            return Outcome.FromResult(Read(exchange, member));
        }
        catch (Exception failure)
            when (failure is HttpRequestException or IOException or OperationCanceledException or PhaseTimeoutException)
        {
            span.Fail(failure, cancellationToken.IsCancellationRequested);
            if (cancellationToken.IsCancellationRequested)
            {
                return Outcome.FromException<AttemptResult<ReplyMessage>>(connections.Cancelled(attempt, failure, cancellationToken));
            }

            peers.ProbeNow(member.Endpoint);
            var outcome = AttemptOutcome.OfFailure(!SendFailure.WasNotSent(attempt, failure), SendFailure.IsOrderly(failure));
            return Outcome.FromResult(new AttemptResult<ReplyMessage>(null, outcome, PhaseTimeoutException.In(failure) ?? failure));
        }
    }

    /// <summary>Runs an attempt at a handler of this node.</summary>
    // The handler may occupy its thread and may ignore its token. It runs on a thread of the pool, so that the caller is not blocked.
    public async ValueTask<Outcome<AttemptResult<ReplyMessage>>> RunHereAsync(
        Message request, Endpoint here, CancellationToken cancellationToken)
    {
        var began = node.Context.Clock.GetTimestamp();
        ReplyMessage reply;
        try
        {
            reply = await Task.Run(() => node.AnswerAsync(request, cancellationToken).AsTask(), CancellationToken.None)
                .WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
        {
            return Outcome.FromException<AttemptResult<ReplyMessage>>(cancelled);
        }

        here.RecordBytes(request.Body.Length + reply.Body.Length);
        here.ReportedLoad = node.Local.LoadOf(request.Topic);
        return Outcome.FromResult(Classify(reply, isFromNode: true, node.Context.Clock.GetElapsedTime(began)));
    }

    private AttemptResult<ReplyMessage> Read(HttpExchange exchange, Member member)
    {
        var reply = ReplyWire.Read(exchange, member.ToString(), member.Service.IsForeign, out var isFromNode);
        var result = Classify(reply, isFromNode, exchange.Latency);
        return exchange.IsTooLarge ? new(TooLarge(), result.Outcome.AsFinal()) : result;
    }

    private static AttemptResult<ReplyMessage> Classify(ReplyMessage reply, bool isFromNode, TimeSpan latency) =>
        new(reply, AttemptOutcome.OfAnswer((int)reply.Status, isFromNode, reply.NotProcessed, reply.RetryAfter, latency));

    private ReplyMessage TooLarge() => ReplyMessage.Failure(
        StatusCode.BodyTooLarge,
        $"The reply has more than {node.Context.MaxBodyBytes} bytes, which this node accepts. " +
        $"Raise its {node.Context.KeyOf("Request:MaxBodyBytes")}.");
}
