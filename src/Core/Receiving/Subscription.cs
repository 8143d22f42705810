namespace ServiceMesh.Transports;

/// <summary>
/// One handler as a transport sees it: what it wants to hear, in which group, and the door through which messages
/// enter. A transport calls <see cref="Offer"/> for each message that arrives and then either runs the
/// <see cref="Delivery"/> or withdraws it. Thread-safe.
/// </summary>
public sealed class Subscription
{
    private readonly Node _node;
    private readonly HandlerGate _gate;
    private readonly Func<HandlerContext, ValueTask<ReplyMessage>> _handle;

    internal Subscription(Node node, HandlerDefinition definition)
    {
        var options = definition.Options;
        var defaults = node.Options.Handler;
        _node = node;
        Definition = definition;
        Timeout = options.Timeout ?? defaults.Timeout;
        _gate = new(
            options.Ordered ? 1 : options.MaxConcurrency ?? defaults.MaxConcurrency,
            options.MaxQueued ?? defaults.MaxQueued);
        _handle = node.Around(definition);
    }

    /// <summary>Whether it answers requests or receives signals.</summary>
    public MessageKind Kind => Definition.Kind;

    /// <summary>What it wants to hear; exact for requests.</summary>
    public TopicPattern Pattern => Definition.Pattern;

    /// <summary>Its group; null for a signal subscriber that wants its own copy.</summary>
    public string? Group => Definition.Group;

    /// <summary>The id of the node that it lives on.</summary>
    public string NodeId => _node.Id;

    /// <summary>
    /// How full its handler is at this moment, for transports that tell others: 0 is idle, 1 is all that it may run at
    /// once, more is a queue.
    /// </summary>
    public double Load => _gate.Load;

    /// <summary>
    /// False while as many messages run and wait as may: an offer would be refused. A transport on which members compete
    /// for messages may wait a moment for places that it holds itself, rather than offer and be refused.
    /// </summary>
    public bool HasPlace => !_gate.IsFull;

    internal Node Node => _node;

    internal HandlerDefinition Definition { get; }

    /// <summary>True for what the bus itself answers: it does so to the end, also while it drains.</summary>
    internal bool IsOwn => Kind == MessageKind.Request && MeshTopics.IsReserved(Pattern);

    internal TimeSpan Timeout { get; }

    internal HandlerGate Gate => _gate;

    /// <summary>
    /// Checks limits and takes a place for a message. Does not block, and the order of calls is the order of handling
    /// for ordered handlers. An accepted delivery must be run or withdrawn, or its place is lost.
    /// </summary>
    public Delivery Offer(Message message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_node.IsDraining && !IsOwn)
        {
            return Refuse(message, StatusCode.Unavailable, "draining", $"Node '{_node.Id}' is shutting down.");
        }

        if (message.Body.Length > _node.Options.Request.MaxBodyBytes && !MeshTopics.HasOwnLimit(message.Topic))
        {
            return Refuse(
                message, StatusCode.BodyTooLarge, "body-too-large",
                $"The body has {message.Body.Length} bytes; node '{_node.Id}' accepts {_node.Options.Request.MaxBodyBytes}. Send less, or raise its {_node.Options.KeyOf("Request:MaxBodyBytes")}.");
        }

        if (message.Deadline.HasPassed)
        {
            return Refuse(message, StatusCode.DeadlinePassed, "deadline-passed", "The caller's deadline had passed when the request arrived.");
        }

        var ticket = _gate.TryEnter(out var closed);
        if (ticket is not null)
        {
            return new(this, message, ticket);
        }

        return closed
            ? Refuse(message, StatusCode.Unavailable, "draining", $"The handler of '{Pattern}' on node '{_node.Id}' is being removed.")
            : Refuse(
                message, StatusCode.Overloaded, "overloaded",
                $"Node '{_node.Id}' handles and queues as many messages on '{Pattern}' as it may (MaxConcurrency, MaxQueued). Try again later.");
    }

    /// <summary>Runs the handler to its end, whatever anybody waits for, and then gives the place to the next.</summary>
    internal async ValueTask<ReplyMessage> HandleAsync(HandlerContext context)
    {
        try
        {
            var reply = await _handle(context).ConfigureAwait(false);
            if (context.HasGivenUp)
            {
                return context.GiveUpReply();
            }

            return reply.Body.Length <= _node.Options.Request.MaxBodyBytes
                ? reply
                : ReplyMessage.Failure(
                    StatusCode.BodyTooLarge,
                    $"The reply has {reply.Body.Length} bytes; {_node.Options.Request.MaxBodyBytes} are allowed. Answer with less, or raise {_node.Options.KeyOf("Request:MaxBodyBytes")} on all nodes.");
        }
        catch (Exception failure) when (context.HasGivenUp)
        {
            // Whatever its cancelled work threw: that it was given up is how it ended, and its caller is told the same.
            context.Exception = failure is OperationCanceledException ? null : failure;
            return context.GiveUpReply();
        }
        catch (ReplyException failure)
        {
            // An answer like any other: only what led to it is an exception. From a middleware it means that no handler ran.
            context.Exception = failure.InnerException;
            return ReplyMessage.Failure(failure.Status, failure.Message, notProcessed: !context.HandlerRan);
        }
        catch (Exception failure)
        {
            context.Exception = failure;
            return ReplyMessage.Failure(
                StatusCode.HandlerFailed,
                $"The handler of '{Pattern}' threw {ExceptionText.Brief(failure)}");
        }
        finally
        {
            try
            {
                await context.EndAsync().ConfigureAwait(false);
            }
            finally
            {
                _gate.Leave();
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Definition.ToString();

    private Delivery Refuse(Message message, StatusCode status, string reason, string error)
    {
        _node.Telemetry.Rejected(this, reason);
        return new(this, message, ReplyMessage.Failure(status, error, notProcessed: true));
    }
}
