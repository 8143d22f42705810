using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>How a message leaves a node: through the application's steps around sending, then over the transport.</summary>
internal sealed class SendPipeline
{
    private readonly ITransport _transport;
    private readonly NodeIdentity _node;
    private readonly ILogger _logger;
    private readonly bool _hasSteps;
    private readonly Func<Message, CancellationToken, ValueTask<ReplyMessage>> _request;
    private readonly Func<Message, CancellationToken, ValueTask<SignalResult>> _signal;

    public SendPipeline(ITransport transport, IReadOnlyList<ISendMiddleware> middleware, NodeIdentity node, ILogger logger)
    {
        _transport = transport;
        _node = node;
        _logger = logger;
        _hasSteps = middleware.Count > 0;
        _request = _hasSteps ? RequestOverTransportAsync : transport.RequestAsync;
        _signal = SignalOverTransportAsync;
        for (var i = middleware.Count - 1; i >= 0; i--)
        {
            var (step, request, signal) = (middleware[i], _request, _signal);
            _request = (message, token) => step.RequestAsync(message, request, token);
            _signal = (message, token) => step.SignalAsync(message, signal, token);
        }
    }

    public TransportCapabilities Capabilities => _transport.Capabilities;

    /// <summary>What counts the attempts of a message; null when nothing but the caller decides about them.</summary>
    public SendAttempts? CountAttempts() => _hasSteps ? new() : null;

    /// <summary>True when nothing looks at the token of a request once the request has ended.</summary>
    public bool ReleasesTokens => !_hasSteps && _transport.Capabilities.ReleasesTokens;

    /// <summary>True when nothing else sees a reply once the caller has read it.</summary>
    public bool ReleasesReplies => !_hasSteps && _transport is IInProcessTransport;

    /// <summary>True when values are handed over as they are.</summary>
    public bool PassesReferences => _transport is IInProcessTransport { PassesReferences: true };

    /// <summary>Sends a request. What it throws is an answer too; see <see cref="Answer"/>.</summary>
    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        // A transport stops waiting when the token fires: its contract, and the conformance suite, say so. The application's own
        // steps may not.
        var answer = _request(request, cancellationToken);
        return _hasSteps && !answer.IsCompleted ? new(answer.AsTask().WaitAsync(cancellationToken)) : answer;
    }

    /// <summary>Sends a signal. What it throws tells why it was not sent; see <see cref="Refusal"/>.</summary>
    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        var sending = _signal(signal, cancellationToken);
        return _hasSteps && !sending.IsCompleted ? new(sending.AsTask().WaitAsync(cancellationToken)) : sending;
    }

    /// <summary>True when no handler saw the message, in this attempt or in one before it.</summary>
    public static bool IsUnprocessed(Message message, ReplyMessage reply) =>
        reply.NotProcessed && message.Attempts is not { MayHaveRun: true };

    /// <summary>The answer to a request for which sending threw.</summary>
    public ReplyMessage Answer(Message request, Exception failure) =>
        _hasSteps ? StepThrew(request, failure) : TransportThrew(request, failure);

    /// <summary>Why a signal was not sent, when sending threw.</summary>
    public static ReplyMessage Refusal(Message signal, Exception failure) =>
        failure is TransportException ? ReplyMessage.Failure(StatusCode.Unavailable, failure.Message) : StepThrew(signal, failure);

    // The last of the application's steps: whatever a transport does wrong is a reply to them too.
    private async ValueTask<ReplyMessage> RequestOverTransportAsync(Message request, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await _transport.RequestAsync(AsAttempt(request), cancellationToken).ConfigureAwait(false);
            if (reply.NotProcessed)
            {
                request.Attempts?.EndUnprocessed();
            }

            return reply;
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            return TransportThrew(request, failure);
        }
    }

    private async ValueTask<SignalResult> SignalOverTransportAsync(Message signal, CancellationToken cancellationToken)
    {
        try
        {
            return await _transport.SignalAsync(signal.Attempts is null ? signal : AsAttempt(signal), cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception failure) when (
            failure is not TransportException && (failure is not OperationCanceledException || !cancellationToken.IsCancellationRequested))
        {
            Log.TransportThrew(_logger, signal.Topic.ToString(), signal.Sender, failure);
            throw new TransportException($"The transport failed: {failure.Message}", failure);
        }
    }

    // Each call of the last step is a message of its own: a transport knows messages by their ids, and a handler that has begun one of
    // them, or whose caller has given one of them up, is told so by its id.
    private Message AsAttempt(Message message) =>
        message.Attempts is { } attempts && attempts.Begin() ? message : message with { Id = _node.NextMessageId() };

    private ReplyMessage TransportThrew(Message request, Exception failure)
    {
        if (failure is TransportException)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, failure.Message);
        }

        Log.TransportThrew(_logger, request.Topic.ToString(), request.Sender, failure);
        return ReplyMessage.Failure(StatusCode.Unavailable, $"The transport failed: {failure.Message}");
    }

    private static ReplyMessage StepThrew(Message message, Exception failure) => new()
    {
        Status = failure is ReplyException refusal ? refusal.Status : StatusCode.HandlerFailed,
        NotProcessed = message.Attempts is { MayHaveRun: false },
        Error = failure is ReplyException
            ? failure.Message
            : $"A step around sending (ISendMiddleware) threw {ExceptionText.Brief(failure)}",
        Exception = failure,
    };
}
