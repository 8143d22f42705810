using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>The last step of a request of the bus: one attempt at one endpoint, and its answer with a judgement.</summary>
internal sealed class MessageSender(HttpNode node, Connections connections, Mesh mesh)
{
    /// <summary>To another node, or a foreign server.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Outcome<Answer<ReplyMessage>>> OverHttpAsync(Message request, Member member, MessageCall call, CancellationToken cancellationToken)
    {
        var uri = member.UriOf(request.Kind, request.Topic);
        using var span = AttemptSpan.Start("POST", uri, member.Service.IsTls(member.Endpoint), member.Endpoint, call.Service, call.Attempts - 1);
        using var attempt = connections.Make(member, HttpMethod.Post, uri, request.ContentType, request.Body);
        try
        {
            MessageWire.Write(request, attempt.Headers, static (headers, name, value) => headers.TryAddWithoutValidation(name, value));
            span.Inject(attempt.Headers);
            var response = await connections.SendAsync(
                attempt, member, request.Body.Length, node.Context.MaxBodyBytes, isMessage: true, call.Settings.HeadersLimit(call.IsRepeatable, call.Remaining),
                cancellationToken).ConfigureAwait(false);
            span.End(response?.Status ?? 200);
            if (response is not { } answer)
            {
                return Outcome.FromResult(new Answer<ReplyMessage>(TooLarge(), Verdict.Answered));
            }

            var judged = Judge(ReplyWire.Read(answer, member.ToString(), member.Service.IsForeign, node.Context.Clock, out var isFromNode), isFromNode);
            if (judged.Verdict.IsAgainstEndpoint && !Connections.IsFailure(answer.Status))
            {
                member.Endpoint.RecordFailure(); // a quick page with 200 must not attract traffic
            }

            return Outcome.FromResult(judged);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or OperationCanceledException or PhaseTimeoutException)
        {
            span.Fail(failure, cancellationToken.IsCancellationRequested);
            if (cancellationToken.IsCancellationRequested)
            {
                return Outcome.FromException<Answer<ReplyMessage>>(connections.Cancelled(attempt, failure, cancellationToken)); // how it ended meanwhile is nobody's concern
            }

            member.Endpoint.RecordFailure();
            mesh.Suspect(member.Endpoint);
            return Outcome.FromResult(new Answer<ReplyMessage>(
                null, Connections.WasNotSent(attempt, failure) ? Verdict.NotSent : Verdict.Broken, PhaseTimeoutException.In(failure) ?? failure));
        }
    }

    /// <summary>To a handler of this node.</summary>
    // It may keep its thread and may ignore its token: the caller's thread goes on, and so does the caller.
    public async ValueTask<Outcome<Answer<ReplyMessage>>> InProcessAsync(Message request, Endpoint here, CancellationToken cancellationToken)
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
            return Outcome.FromException<Answer<ReplyMessage>>(cancelled);
        }

        if (Connections.IsFailure((int)reply.Status))
        {
            here.RecordFailure();
        }
        else
        {
            here.RecordSuccess(node.Context.Clock.GetElapsedTime(began));
        }

        here.RecordBytes(request.Body.Length + reply.Body.Length);
        here.ReportedLoad = node.Local.LoadOf(request.Topic);
        return Outcome.FromResult(Judge(reply, isFromNode: true));
    }

    private static Answer<ReplyMessage> Judge(ReplyMessage reply, bool isFromNode) =>
        new(reply, Verdict.On((int)reply.Status, isFromNode, reply.NotProcessed, reply.RetryAfter));

    private ReplyMessage TooLarge() => ReplyMessage.Failure(
        StatusCode.BodyTooLarge,
        $"The reply has more than {node.Context.MaxBodyBytes} bytes, which this node accepts. Raise its {node.Context.KeyOf("Request:MaxBodyBytes")}.");
}
