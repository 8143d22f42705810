namespace ServiceMesh.Transports;

/// <summary>
/// One handler as a transport sees it: what it wants to hear, in which group, and the door through which messages
/// enter. A transport calls <see cref="Offer"/> for each message that arrives and then either runs the
/// <see cref="Delivery"/> or withdraws it. Thread-safe.
/// </summary>
public sealed class Subscription
{
    private readonly Receiver _receiver;

    internal Subscription(Receiver receiver, HandlerDefinition definition)
    {
        var (options, limits) = (definition.Options, receiver.Limits);
        _receiver = receiver;
        Definition = definition;
        Timeout = options.Timeout ?? limits.Timeout;
        Gate = new(
            options.Ordered ? 1 : options.MaxConcurrency ?? limits.MaxConcurrency,
            options.MaxQueued ?? limits.MaxQueued);
        Handle = receiver.Pipeline.Build(definition);
        Group = definition.Group;
    }

    /// <summary>Whether it answers requests or receives signals.</summary>
    public MessageKind Kind => Definition.Kind;

    /// <summary>What it wants to hear; exact for requests.</summary>
    public TopicPattern Pattern => Definition.Pattern;

    /// <summary>Its group; null for a signal subscriber that wants its own copy.</summary>
    public string? Group { get; }

    /// <summary>The id of the node that it lives on.</summary>
    public string NodeId => _receiver.NodeId;

    /// <summary>
    /// How full its handler is at this moment, for transports that tell others: 0 is idle, 1 is all that it may run at
    /// once, more is a queue.
    /// </summary>
    public double Load => Gate.Load;

    /// <summary>
    /// False while as many messages run and wait as may: an offer would be refused. A transport on which members compete
    /// for messages may wait a moment for places that it holds itself, rather than offer and be refused.
    /// </summary>
    public bool HasPlace => !Gate.IsFull;

    /// <summary>
    /// The authorization policies that a caller must satisfy, all of them; empty for none. The bus asks <see cref="Message.Caller"/>
    /// before it decodes a message; a transport that reads bodies late may ask earlier.
    /// </summary>
    public IReadOnlyList<string> AuthorizationPolicies => Definition.Options.AuthorizationPolicies;

    /// <summary>How many messages may run and wait at once.</summary>
    internal int Places => Gate.Places;

    /// <summary>How many messages run and wait now.</summary>
    internal int InFlight => Gate.InFlight;

    internal Receiver Receiver => _receiver;

    internal HandlerDefinition Definition { get; }

    /// <summary>True for what the bus itself answers: it does so to the end, also while it drains.</summary>
    internal bool IsOwn => Kind == MessageKind.Request && ReservedTopics.IsReserved(Pattern);

    internal TimeSpan Timeout { get; }

    internal HandlerGate Gate { get; }

    /// <summary>Middleware, decoding, handler, encoding.</summary>
    internal Func<Delivery, ValueTask<ReplyMessage>> Handle { get; }

    /// <summary>
    /// Checks limits and takes a place for a message. Does not block, and the order of calls is the order of handling
    /// for ordered handlers. An accepted delivery must be run or withdrawn, or its place is lost.
    /// </summary>
    public Delivery Offer(Message message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_receiver.State.IsDraining && !IsOwn)
        {
            return Refuse(message, StatusCode.Unavailable, "draining", $"Node '{NodeId}' is shutting down.");
        }

        if (message.BodyLength > _receiver.Bodies.MaxBytes && !ReservedTopics.HasOwnLimit(message.Topic))
        {
            return Refuse(
                message, StatusCode.BodyTooLarge, "body-too-large",
                $"The body has {message.BodyLength} bytes; node '{NodeId}' accepts {_receiver.Bodies.MaxBytes}. " +
                $"Send less, or raise its {_receiver.Bodies.Key}.");
        }

        if (message.Deadline.HasPassed)
        {
            return Refuse(
                message, StatusCode.DeadlinePassed, "deadline-passed", "The caller's deadline had passed when the request arrived.");
        }

        var ticket = Gate.TryEnter(out var closed);
        if (ticket is not null)
        {
            return new(this, message, ticket);
        }

        return closed
            ? Refuse(message, StatusCode.Unavailable, "draining", $"The handler of '{Pattern}' on node '{NodeId}' is being removed.")
            : Refuse(
                message, StatusCode.Overloaded, "overloaded",
                $"Node '{NodeId}' is at its limits for '{Pattern}' (MaxConcurrency, MaxQueued). Try again later.");
    }

    /// <inheritdoc/>
    public override string ToString() => Definition.ToString();

    private Delivery Refuse(Message message, StatusCode status, string reason, string error)
    {
        _receiver.Telemetry.Rejected(Pattern, reason);
        return new(this, message, ReplyMessage.Failure(status, error, notProcessed: true));
    }
}
