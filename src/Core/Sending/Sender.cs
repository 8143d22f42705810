using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>The way out of a node: encode → trace → middleware → transport → decode, for requests and signals.</summary>
internal sealed class Sender
{
    private readonly Node _node;
    private readonly ITransport _transport;
    private readonly bool _hasMiddleware;
    private readonly Func<Message, CancellationToken, ValueTask<ReplyMessage>> _request;
    private readonly Func<Message, CancellationToken, ValueTask<SignalResult>> _signal;
    private volatile string? _closedBecause = "has not started yet; the host starts it, in the order in which services were added";

    public Sender(Node node, ITransport transport, IReadOnlyList<ISendMiddleware> middleware)
    {
        _node = node;
        _transport = transport;
        _hasMiddleware = middleware.Count > 0;
        _request = _hasMiddleware ? RequestOverTransportAsync : transport.RequestAsync;
        _signal = SignalOverTransportAsync;
        for (var i = middleware.Count - 1; i >= 0; i--)
        {
            var (step, request, signal) = (middleware[i], _request, _signal);
            _request = (message, token) => step.RequestAsync(message, request, token);
            _signal = (message, token) => step.SignalAsync(message, signal, token);
        }
    }

    /// <summary>Begins a call.</summary>
    /// <param name="options">The caller's.</param>
    /// <param name="caller">The caller's token.</param>
    /// <param name="isRequest">
    /// True for a single request, whose token only the transport sees: not the application, unless it has steps around sending.
    /// </param>
    public CallScope Begin(RequestOptions? options, CancellationToken caller, bool isRequest = false) => CallScope.Begin(
        options?.Timeout ?? _node.Options.Request.Timeout,
        options,
        _node.Clock,
        servesAgain: isRequest && !_hasMiddleware && _transport.Capabilities.ReleasesTokens,
        caller);

    public void Open() => _closedBecause = null;

    public void Close() => _closedBecause = "has stopped";

    public void ReportLocal(ReplyFailure failure) => _node.Errors.Report(failure);

    /// <summary>Sends one request within a scope. Throws for misuse and for the caller's own cancellation only.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Reply<TOut>> RequestAsync<TIn, TOut>(RequestTopic<TIn, TOut> topic, TIn input, CallScope scope)
    {
        var body = SerializerSet.Encode(_node.Serializers.Configured, input);
        var operation = _node.Telemetry.StartSend(MessageKind.Request, topic.Topic);
        var status = StatusCode.None;
        try
        {
            var request = Make(MessageKind.Request, topic.Topic, body, scope, operation, topic.IsIdempotent);
            var reply = await AnswerAsync(request, scope).ConfigureAwait(false);
            var result = Decode<TOut>(request, reply);
            status = result.Status;
            if (!result.IsSuccess)
            {
                Settle(request, reply, result.Failure);
            }

            return result;
        }
        finally
        {
            operation.End(status);
        }
    }

    /// <summary>Sends one signal within a scope.</summary>
    /// <exception cref="ServiceMeshException">It could not be sent.</exception>
    public async Task<SignalResult> SignalAsync<T>(SignalTopic<T> topic, T value, CallScope scope)
    {
        var body = SerializerSet.Encode(_node.Serializers.Configured, value);
        var operation = _node.Telemetry.StartSend(MessageKind.Signal, topic.Topic);
        var status = StatusCode.None;
        try
        {
            var signal = Make(MessageKind.Signal, topic.Topic, body, scope, operation);
            var (result, refusal, cause) = await DeliverAsync(signal, scope).ConfigureAwait(false);
            status = refusal?.Status ?? StatusCode.Ok;
            if (refusal is not null)
            {
                Lose(signal, "not-sent", refusal.Status, refusal.Error!, cause);
                throw new ReplyFailure(refusal.Status, topic.ToString(), refusal.Error!, refusal.NotProcessed) { Exception = cause }.ToException();
            }

            foreach (var failure in result!.Failures)
            {
                Lose(signal, "receiver-failed", StatusCode.Unavailable, failure, null);
            }

            return result;
        }
        finally
        {
            operation.End(status);
        }
    }

    private Message Make(MessageKind kind, Topic topic, byte[] body, CallScope scope, Telemetry.SendOperation operation, bool isIdempotent = false)
    {
        var message = new Message
        {
            Id = _node.NextMessageId(),
            Kind = kind,
            Topic = topic,
            Headers = operation.Inject(scope.Headers),
            ContentType = _node.Serializers.Configured.ContentType,
            Body = body,
            Deadline = kind == MessageKind.Request ? scope.Deadline : Deadline.None,
            IsRepeatable = kind == MessageKind.Request && ((scope.IsIdempotent ?? isIdempotent) || scope.Headers[Headers.IdempotencyKey] is { Length: > 0 }),
            Retry = scope.Retry,
        };
        operation.DescribeMessage(message);
        return message;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReplyMessage> AnswerAsync(Message request, CallScope scope)
    {
        if (RefuseLocally(request, scope) is { } refusal)
        {
            return refusal;
        }

        try
        {
            // A transport stops waiting when the token fires: its contract, and the conformance suite, say so. The
            // application's own steps may not.
            var answer = _request(request, scope.Token);
            return _hasMiddleware && !answer.IsCompleted
                ? await answer.AsTask().WaitAsync(scope.Token).ConfigureAwait(false)
                : await answer.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (scope.IsCancellationRequested)
        {
            return scope.GaveUp(request.Topic.ToString());
        }
        catch (Exception failure)
        {
            return _hasMiddleware ? MiddlewareThrew(failure) : TransportThrew(request, failure);
        }
    }

    // What became of a signal, or why it was not sent.
    private async ValueTask<(SignalResult? Result, ReplyMessage? Refusal, Exception? Cause)> DeliverAsync(Message signal, CallScope scope)
    {
        if (RefuseLocally(signal, scope) is { } refusal)
        {
            return (null, refusal, null);
        }

        try
        {
            var sending = _signal(signal, scope.Token);
            var result = _hasMiddleware && !sending.IsCompleted
                ? await sending.AsTask().WaitAsync(scope.Token).ConfigureAwait(false)
                : await sending.ConfigureAwait(false);
            return (result, null, null);
        }
        catch (OperationCanceledException) when (scope.IsCancellationRequested)
        {
            return (null, scope.GaveUp(signal.Topic.ToString()), null);
        }
        catch (TransportException failure)
        {
            return (null, ReplyMessage.Failure(StatusCode.Unavailable, failure.Message), failure);
        }
        catch (Exception failure)
        {
            return (null, MiddlewareThrew(failure), failure);
        }
    }

    private ReplyMessage? RefuseLocally(Message message, CallScope scope)
    {
        if (scope.IsCancellationRequested)
        {
            return scope.GaveUp(message.Topic.ToString(), notSent: true);
        }

        if (_closedBecause is { } reason)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, $"The bus of node '{_node.Id}' {reason}.", notProcessed: true);
        }

        var limit = Math.Min(_node.Options.Request.MaxBodyBytes, _transport.Capabilities.MaxBodyBytes);
        return message.Body.Length <= limit || MeshTopics.HasOwnLimit(message.Topic)
            ? null
            : ReplyMessage.Failure(
                StatusCode.BodyTooLarge,
                $"The body has {message.Body.Length} bytes; {limit} are allowed. Send less, or raise {_node.Options.KeyOf("Request:MaxBodyBytes")} on all nodes.",
                notProcessed: true);
    }

    private static ReplyMessage MiddlewareThrew(Exception failure) => new()
    {
        Status = failure is ReplyException refusal ? refusal.Status : StatusCode.HandlerFailed,
        Error = failure is ReplyException ? failure.Message : $"A step around sending (ISendMiddleware) threw {ExceptionText.Brief(failure)}",
        Exception = failure,
    };

    // The last of the application's steps: whatever a transport does wrong is a reply to them too.
    private async ValueTask<ReplyMessage> RequestOverTransportAsync(Message request, CancellationToken cancellationToken)
    {
        try
        {
            return await _transport.RequestAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return TransportThrew(request, failure);
        }
    }

    private ReplyMessage TransportThrew(Message request, Exception failure)
    {
        if (failure is TransportException)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, failure.Message);
        }

        Log.TransportThrew(_node.Logger, request.Topic.ToString(), request.Sender, failure);
        return ReplyMessage.Failure(StatusCode.Unavailable, $"The transport failed: {failure.Message}");
    }

    private async ValueTask<SignalResult> SignalOverTransportAsync(Message signal, CancellationToken cancellationToken)
    {
        try
        {
            return await _transport.SignalAsync(signal, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (
            failure is not TransportException && (failure is not OperationCanceledException || !cancellationToken.IsCancellationRequested))
        {
            Log.TransportThrew(_node.Logger, signal.Topic.ToString(), signal.Sender, failure);
            throw new TransportException($"The transport failed: {failure.Message}", failure);
        }
    }

    private Reply<T> Decode<T>(Message request, ReplyMessage reply)
    {
        var topic = request.Topic.ToString();
        ReplyFailure? failure = null;
        if (reply.Status.IsFailure)
        {
            failure = new(reply.Status, topic, reply.Error ?? "No details were given.", reply.NotProcessed) { Exception = reply.Exception, RetryAfter = reply.RetryAfter };
            if (reply.Body.IsEmpty)
            {
                return Reply<T>.Failed(failure, reply.Headers);
            }
        }

        if (reply.Body.Length > _node.Options.Request.MaxBodyBytes)
        {
            return Reply<T>.Failed(failure ?? new(
                StatusCode.BodyTooLarge, topic,
                $"The reply has {reply.Body.Length} bytes; this node accepts {_node.Options.Request.MaxBodyBytes}. Raise its {_node.Options.KeyOf("Request:MaxBodyBytes")}."));
        }

        try
        {
            var serializer = _node.Serializers.For(reply.ContentType)
                ?? throw new MalformedBodyException($"No serializer here reads '{reply.ContentType}'.");
            var value = serializer.Deserialize<T>(reply.Body);
            return failure is null
                ? Reply<T>.Success(value!, reply.Headers, reply.Status)
                : Reply<T>.Failed(failure, reply.Headers, value);
        }
        catch (Exception malformed) when (malformed is MalformedBodyException or NotSupportedException)
        {
            // Of a failure the status matters, and what lies beside it need not be a T. Of a success the value does.
            failure ??= new(StatusCode.HandlerFailed, topic, $"The reply cannot be decoded. {malformed.Message}") { Exception = malformed };
            return Reply<T>.Failed(failure, reply.Headers);
        }
    }

    private void Settle(Message request, ReplyMessage reply, ReplyFailure failure)
    {
        if (_node.Logger.IsEnabled(LogLevel.Debug))
        {
            Log.RequestFailed(_node.Logger, request.Topic.ToString(), request.Sender, (int)failure.Status, failure.Message);
        }

        // A success that could not be decoded is known here only.
        if (reply.IsReportedByCaller || !reply.Status.IsFailure || reply.Exception is not null)
        {
            _node.Errors.Report(request, failure.Status, failure.Message, null, failure.Exception);
        }
    }

    private void Lose(Message signal, string reason, StatusCode status, string error, Exception? cause)
    {
        if (signal.Topic == MeshTopics.Errors.Topic)
        {
            return; // a report of this node: the reporter itself says what became of it
        }

        _node.ReportLoss(reason, signal.Topic.ToString(), error, signal.Sender);
        _node.Errors.Report(signal, status, error, null, cause);
    }
}
