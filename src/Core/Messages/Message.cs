namespace ServiceMesh;

/// <summary>What a message wants.</summary>
public enum MessageKind
{
    /// <summary>Exactly one answer.</summary>
    Request,

    /// <summary>No answer; delivered to every matching subscriber.</summary>
    Signal,
}

/// <summary>
/// One request or signal on its way: encoded, immutable, and the same for every transport. A transport moves it
/// without looking into <see cref="Body"/>.
/// </summary>
public sealed record Message
{
    private readonly ReadOnlyMemory<byte> _body;

    // What does not travel, in one field: options for a transport that repeats, or the value for a transport within the process.
    private readonly object? _local;

    /// <summary>Names this message among all others.</summary>
    public required MessageId Id { get; init; }

    /// <summary>Whether an answer is wanted.</summary>
    public required MessageKind Kind { get; init; }

    /// <summary>What is called.</summary>
    public required Topic Topic { get; init; }

    /// <summary>The id of the node that sent it.</summary>
    public string Sender => Id.Node;

    /// <summary>Texts beside the body; trace context among them. Default: none.</summary>
    public Headers Headers { get; init; } = Headers.Empty;

    /// <summary>The media type of the body, which chooses the serializer that reads it.</summary>
    public required string ContentType { get; init; }

    /// <summary>The encoded value. A receiver must not write into it.</summary>
    public ReadOnlyMemory<byte> Body
    {
        get => Passed is null ? _body : Passed.Encode();
        init => (_body, _local) = (value, Retry);
    }

    /// <summary>When the caller stops caring; none for signals.</summary>
    public Deadline Deadline { get; init; }

    /// <summary>
    /// Whether it may run twice without harm: its contract or its caller says so, or it carries an idempotency key. Known to
    /// the sender only; it does not travel.
    /// </summary>
    public bool IsRepeatable { get; init; }

    /// <summary>How the caller wants it to be sent again; null for what is configured. It does not travel.</summary>
    public RetryOptions? Retry
    {
        get => _local as RetryOptions;
        init => _local = _local is PassedValue ? _local : value; // within the process nothing is sent again
    }

    /// <summary>
    /// The process that sent it, set by the transport that received it; null where the transport does not authenticate callers. It does
    /// not travel.
    /// </summary>
    public IMessageCaller? Caller { get; init; }

    /// <summary>The value itself, where it is handed over within one process; null when there is a body.</summary>
    internal PassedValue? Passed
    {
        get => _local as PassedValue;
        init => _local = value ?? _local; // null leaves the retry options where they are
    }

    /// <summary>
    /// Counts how often it is given to the transport, where the application's steps around sending decide that; shared with its copies.
    /// Null without such steps.
    /// </summary>
    internal SendAttempts? Attempts { get; init; }

    /// <summary>The size of the body; 0 for a value that is handed over.</summary>
    internal int BodyLength => _body.Length;
}
