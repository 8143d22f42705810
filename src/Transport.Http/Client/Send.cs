namespace ServiceMesh.Http;

/// <summary>The last step: one request to one endpoint, and what came back as a reply.</summary>
internal sealed class Send(HttpNode node, Connections connections, Mesh mesh) : ILayer
{
    public ValueTask<ReplyMessage> SendAsync(Call call, CancellationToken cancellationToken) =>
        call.Member is { } member ? OverHttpAsync(call.Message, member, cancellationToken) : InProcessAsync(call.Message, call.Endpoint, cancellationToken);

    private async ValueTask<ReplyMessage> OverHttpAsync(Message request, Member member, CancellationToken cancellationToken)
    {
        try
        {
            var response = await connections.SendAsync(
                member, HttpMethod.Post, member.Service.PathOf(request.Kind, request.Topic), MessageWire.Write(request), request.ContentType, request.Body,
                node.Context.MaxBodyBytes, cancellationToken, isMessage: true).ConfigureAwait(false);
            return response is { } answer
                ? ReplyWire.Read(answer, member.ToString(), member.Service.IsForeign)
                : ReplyMessage.Failure(
                    StatusCode.BodyTooLarge,
                    $"The reply has more than {node.Context.MaxBodyBytes} bytes, which this node accepts. Raise its ServiceMesh:Request:MaxBodyBytes.");
        }
        catch (Exception failure) when (cancellationToken.IsCancellationRequested && failure is HttpRequestException or IOException)
        {
            throw new OperationCanceledException(failure.Message, failure, cancellationToken); // how it ended meanwhile is nobody's concern
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && failure is HttpRequestException or IOException or OperationCanceledException)
        {
            member.Endpoint.RecordFailure();
            mesh.Suspect(member.Endpoint);
            return Connections.IsConnectFailure(failure)
                ? ReplyMessage.Failure(StatusCode.Unavailable, $"{member} cannot be reached: {Connections.ReasonOf(failure)}.", notProcessed: true)
                : ReplyMessage.Failure(
                    StatusCode.Unavailable,
                    $"The connection to {member} broke while waiting for the reply ({Connections.ReasonOf(failure)}). Whether a handler ran is not known.");
        }
    }

    // The handler may keep its thread and may ignore its token: the caller's thread goes on, and so does the caller.
    private async ValueTask<ReplyMessage> InProcessAsync(Message request, Endpoint here, CancellationToken cancellationToken)
    {
        var began = node.Context.Clock.GetTimestamp();
        var reply = await Task.Run(() => node.AnswerAsync(request, cancellationToken).AsTask(), CancellationToken.None)
            .WaitAsync(cancellationToken).ConfigureAwait(false);
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
        return reply;
    }
}
