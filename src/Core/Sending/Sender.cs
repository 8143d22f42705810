using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>The way out of a node: encode → trace → middleware → transport → decode, for requests and signals.</summary>
internal sealed class Sender(
    NodeIdentity node,
    SendPipeline pipeline,
    SerializerSet serializers,
    TimeSpan timeout,
    BodyLimit bodies,
    Telemetry telemetry,
    ErrorReporter errors,
    ILogger logger,
    TimeProvider clock)
{
    private volatile string? _closedBecause = "has not started yet; the host starts it, in the order in which services were added";

    /// <summary>Begins a call.</summary>
    /// <param name="options">The caller's.</param>
    /// <param name="caller">The caller's token.</param>
    /// <param name="isRequest">
    /// True for a single request, whose token only the transport sees: not the application, unless it has steps around sending.
    /// </param>
    public CallScope Begin(RequestOptions? options, CancellationToken caller, bool isRequest = false) =>
        CallScope.Begin(options?.Timeout ?? timeout, options, clock, servesAgain: isRequest && pipeline.ReleasesTokens, caller);

    public void Open() => _closedBecause = null;

    public void Close() => _closedBecause = "has stopped";

    public void ReportLocal(ReplyFailure failure) => errors.Report(failure);

    public TimeProvider Clock => clock;

    /// <summary>Encodes a request, starts its span and makes its message.</summary>
    /// <param name="topic">What to call.</param>
    /// <param name="isIdempotent">What the contract says.</param>
    /// <param name="input">What to send.</param>
    /// <param name="scope">The call.</param>
    /// <param name="headers">What travels beside the body; null for the headers of the call.</param>
    /// <exception cref="NotSupportedException">The serializer refuses the type of the input or of the answer.</exception>
    public OutgoingRequest Prepare<TIn, TOut>(Topic topic, bool isIdempotent, TIn input, CallScope scope, Headers? headers = null)
    {
        var serializer = serializers.Writer(ReservedTopics.IsReserved(topic));
        SerializerSet.EnsureSupported<TOut>(serializer);
        var content = Encode(serializer, input);
        var activity = telemetry.StartSend(MessageKind.Request, topic);
        var message = Make(MessageKind.Request, topic, content, scope, headers ?? scope.Headers, activity, isIdempotent);
        return OutgoingRequest.Of(this, message, scope, activity, telemetry.StartTime(), telemetry.CountRequest());
    }

    /// <summary>False when the serializer refuses the type of an answer.</summary>
    public bool AcceptsAnswer<TOut>(Topic topic)
    {
        try
        {
            SerializerSet.EnsureSupported<TOut>(serializers.Writer(ReservedTopics.IsReserved(topic)));
            return true;
        }
        catch (NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>
    /// Sends a request; called within the asynchronous method that awaits it. What it throws is an answer too; see <see
    /// cref="Answer"/>.
    /// </summary>
    public ValueTask<ReplyMessage> SendAsync(OutgoingRequest request)
    {
        Telemetry.Enter(request.Activity);
        return RefuseLocally(request.Message, request.Scope) is { } refusal
            ? new(refusal)
            : pipeline.RequestAsync(request.Message, request.Scope.Token);
    }

    /// <summary>The answer to a request for which sending threw.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public ReplyMessage Answer(OutgoingRequest request, Exception failure)
    {
        if (failure is not OperationCanceledException || !request.Scope.IsCancellationRequested)
        {
            return pipeline.Answer(request.Message, failure);
        }

        try
        {
            return request.Scope.GaveUp(
                request.Message.Topic.ToString(), notSent: request.Message.Attempts is { HaveBegun: false });
        }
        catch (OperationCanceledException)
        {
            End(request, StatusCode.None);
            throw;
        }
    }

    /// <summary>Decodes an answer, files the report of a failure where that is the caller's part, and ends the span.</summary>
    public Reply<T> Read<T>(OutgoingRequest request, ReplyMessage reply)
    {
        var (headers, status) = (reply.Headers, reply.Status);
        return Read<T>(request, reply, out var value) is { } failure
            ? Reply<T>.Failed(failure, headers, value)
            : Reply<T>.Success(value!, headers, status);
    }

    /// <summary>The same without an object for success: null, and the value.</summary>
    public ReplyFailure? Read<T>(OutgoingRequest request, ReplyMessage reply, out T? value)
    {
        var status = StatusCode.None;
        try
        {
            var failure = Decode(request.Message, reply, out value);
            status = failure?.Status ?? reply.Status;
            if (failure is not null)
            {
                LogAndReport(request.Message, reply, failure, request.Activity);
            }
            else if (pipeline.ReleasesReplies && (reply.Passed is not null || serializers.For(reply.ContentType) is JsonMessageSerializer))
            {
                // What is read from JSON is a copy. Another serializer may return a value that refers to the body.
                reply.Release();
            }

            return failure;
        }
        finally
        {
            End(request, status);
        }
    }

    /// <summary>Sends one signal within a scope.</summary>
    /// <exception cref="ServiceMeshException">It could not be sent.</exception>
    public async Task<SignalResult> SignalAsync<T>(SignalTopic<T> topic, T value, CallScope scope)
    {
        var content = Encode(serializers.Writer(ReservedTopics.IsReserved(topic.Topic)), value);
        var started = telemetry.StartTime();
        var activity = telemetry.StartSend(MessageKind.Signal, topic.Topic);
        Telemetry.Enter(activity);
        var status = StatusCode.None;
        try
        {
            var signal = Make(MessageKind.Signal, topic.Topic, content, scope, scope.Headers, activity);
            var (result, refusal, cause) = await DeliverAsync(signal, scope).ConfigureAwait(false);
            status = refusal?.Status ?? StatusCode.Ok;
            if (refusal is not null)
            {
                Lose(signal, "not-sent", refusal.Status, refusal.Error!, cause);
                throw new ReplyFailure(refusal.Status, topic.ToString(), refusal.Error!, refusal.NotProcessed)
                {
                    Exception = cause,
                }.ToException();
            }

            foreach (var failure in result!.Failures)
            {
                Lose(signal, "receiver-failed", StatusCode.Unavailable, failure, null);
            }

            return result;
        }
        finally
        {
            telemetry.EndSend(MessageKind.Signal, topic.Topic, activity, started, status);
        }
    }

    /// <summary>
    /// Sends the message of a report again, as it was but for its id. A failure that no handler has seen is not reported.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<ReplayResult> ReplayAsync(ErrorReport report, RequestOptions? options, CancellationToken cancellationToken)
    {
        if (Replay.WhyNot(report, out var topic, out var body) is { } reason)
        {
            return new(ReplayOutcome.NotReplayable, null, reason);
        }

        using var scope = Begin(Replay.Options(report, options), cancellationToken);
        var kind = report.Kind!.Value;
        var (started, activity, status) = (telemetry.StartTime(), telemetry.StartSend(kind, topic), StatusCode.None);
        Telemetry.Enter(activity);
        try
        {
            var message = Make(kind, topic, new(report.ContentType, body, null), scope, scope.Headers, activity);
            var (reply, cause) = kind == MessageKind.Request
                ? await AskAsync(message, scope).ConfigureAwait(false)
                : await TellAsync(message, scope).ConfigureAwait(false);
            status = reply.Status;
            if (SendPipeline.IsUnprocessed(message, reply))
            {
                // The first report stays, and says it all.
                return new(ReplayOutcome.NotProcessed, status, reply.Error);
            }

            if (reply.IsReportedByCaller || reply.Exception is not null)
            {
                errors.Report(message, status, reply.Error ?? "", null, cause, activity);
            }

            return new(ReplayOutcome.Replayed, status, reply.Error);
        }
        finally
        {
            telemetry.EndSend(kind, topic, activity, started, status);
        }
    }

    private async Task<(ReplyMessage Reply, Exception? Cause)> AskAsync(Message request, CallScope scope)
    {
        try
        {
            var reply = RefuseLocally(request, scope) ?? await pipeline.RequestAsync(request, scope.Token).ConfigureAwait(false);
            return (reply, reply.Exception);
        }
        catch (OperationCanceledException) when (scope.IsCancellationRequested)
        {
            return (scope.GaveUp(request.Topic.ToString()), null);
        }
        catch (Exception failure)
        {
            return (pipeline.Answer(request, failure), failure);
        }
    }

    private async Task<(ReplyMessage Reply, Exception? Cause)> TellAsync(Message signal, CallScope scope)
    {
        var (result, refusal, cause) = await DeliverAsync(signal, scope).ConfigureAwait(false);
        if (refusal is { Status: StatusCode.DeadlinePassed })
        {
            return (refusal, cause); // it may have gone out
        }

        return refusal is not null ? (ReplyMessage.Failure(StatusCode.Unavailable, refusal.Error!, notProcessed: true), cause)
            : result!.WasReceived ? (new() { Status = StatusCode.Ok }, null)
            : (ReplyMessage.Failure(StatusCode.NotFound, $"No subscriber of '{signal.Topic}' received it.", notProcessed: true), null);
    }

    // The bus's own topics are encoded in any case.
    private Content Encode<T>(IMessageSerializer serializer, T value) => pipeline.PassesReferences && serializer == serializers.Configured
        ? new(serializer.ContentType, [], new PassedValue<T>(value, serializer))
        : new(serializer.ContentType, SerializerSet.Encode(serializer, value), null);

    private Message Make(
        MessageKind kind, Topic topic, Content content, CallScope scope, Headers headers, Activity? activity, bool isIdempotent = false)
    {
        var message = new Message
        {
            Id = node.NextMessageId(),
            Kind = kind,
            Topic = topic,
            Headers = ReportScope.Mark(Telemetry.Inject(activity, headers)),
            ContentType = content.Type,
            Body = content.Body,
            Passed = content.Passed, // after the body, which replaces it
            Deadline = kind == MessageKind.Request ? scope.Deadline : Deadline.None,
            IsRepeatable = kind == MessageKind.Request
                && ((scope.IsIdempotent ?? isIdempotent) || headers[Headers.IdempotencyKey] is { Length: > 0 }),
            Retry = scope.Retry,
            Attempts = pipeline.CountAttempts(),
        };
        Telemetry.DescribeMessage(activity, message);
        return message;
    }

    // What happened to a signal, or why it was not sent.
    private async ValueTask<(SignalResult? Result, ReplyMessage? Refusal, Exception? Cause)> DeliverAsync(Message signal, CallScope scope)
    {
        if (RefuseLocally(signal, scope) is { } refusal)
        {
            return (null, refusal, null);
        }

        try
        {
            return (await pipeline.SignalAsync(signal, scope.Token).ConfigureAwait(false), null, null);
        }
        catch (OperationCanceledException) when (scope.IsCancellationRequested)
        {
            return (null, scope.GaveUp(signal.Topic.ToString(), notSent: signal.Attempts is { HaveBegun: false }), null);
        }
        catch (Exception failure)
        {
            return (null, SendPipeline.Refusal(signal, failure), failure);
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
            return ReplyMessage.Failure(StatusCode.Unavailable, $"The bus of node '{node.Id}' {reason}.", notProcessed: true);
        }

        var limit = Math.Min(bodies.MaxBytes, pipeline.Capabilities.MaxBodyBytes);
        return message.BodyLength <= limit || ReservedTopics.HasOwnLimit(message.Topic)
            ? null
            : ReplyMessage.Failure(
                StatusCode.BodyTooLarge,
                $"The body has {message.BodyLength} bytes; {limit} are allowed. Send less, or raise {bodies.Key} on all nodes.",
                notProcessed: true);
    }

    private ReplyFailure? Decode<T>(Message request, ReplyMessage reply, out T? value)
    {
        value = default;
        var topic = request.Topic.ToString();
        ReplyFailure? failure = null;
        if (reply.Status.IsFailure)
        {
            failure = new(
                reply.Status, topic, reply.Error ?? "No details were given.", SendPipeline.IsUnprocessed(request, reply))
            {
                Exception = reply.Exception,
                RetryAfter = reply.RetryAfter,
                IsOfHandler = reply.IsOfHandler,
                MayRunAgain = request.IsRepeatable,
            };
            if (reply.Passed is null && reply.BodyLength == 0)
            {
                return failure;
            }
        }

        if (reply.Passed is PassedValue<T> passed)
        {
            value = passed.Value;
            return Beside(value, failure);
        }

        if (reply.BodyLength > bodies.MaxBytes)
        {
            return failure ?? new(
                StatusCode.BodyTooLarge, topic,
                $"The reply has {reply.BodyLength} bytes; this node accepts {bodies.MaxBytes}. Raise its {bodies.Key}.")
            {
                MayRunAgain = request.IsRepeatable,
            };
        }

        try
        {
            var serializer = serializers.Reader(reply.ContentType, ReservedTopics.IsReserved(request.Topic))
                ?? throw new MalformedBodyException($"No serializer here reads '{reply.ContentType}'.");
            value = SerializerSet.Decode<T>(serializer, reply.Body);
            return Beside(value, failure);
        }
        catch (Exception malformed) when (malformed is MalformedBodyException or NotSupportedException)
        {
            // Of a failure the status matters, and what lies beside it need not be a T. Of a success the value does.
            return failure ?? new(
                StatusCode.HandlerFailed, topic, $"The handler answered, and this node cannot read the answer. {malformed.Message}")
            {
                Exception = malformed,
                MayRunAgain = request.IsRepeatable,
            };
        }
    }

    private static ReplyFailure? Beside<T>(T? value, ReplyFailure? failure) =>
        failure is null || value is null ? failure : new(failure, failure.NotProcessed) { Value = value };

    private void LogAndReport(Message request, ReplyMessage reply, ReplyFailure failure, Activity? span)
    {
        if (logger.IsEnabled(LogLevel.Debug))
        {
            Log.RequestFailed(logger, request.Topic.ToString(), request.Sender, (int)failure.Status, Printable.Detail(failure.Message));
        }

        // A success that could not be decoded is known here only.
        if (reply.IsReportedByCaller || !reply.Status.IsFailure || reply.Exception is not null)
        {
            errors.Report(request, failure.Status, failure.Message, null, failure.Exception, span);
        }
    }

    private void Lose(Message signal, string reason, StatusCode status, string error, Exception? cause)
    {
        if (signal.Topic == ReservedTopics.Errors || ReservedTopics.IsLog(signal.Topic))
        {
            return; // a report or a log entry of this node: what made it says what happened to it
        }

        errors.ReportLoss(reason, signal, status, error, null, cause);
    }

    private void End(OutgoingRequest request, StatusCode status)
    {
        if (request.IsCounted)
        {
            telemetry.UncountRequest();
        }

        telemetry.EndSend(MessageKind.Request, request.Message.Topic, request.Activity, request.Started, status);
    }

    /// <summary>What a message carries: a body, or the value itself.</summary>
    private readonly record struct Content(string Type, byte[] Body, PassedValue? Passed);
}
