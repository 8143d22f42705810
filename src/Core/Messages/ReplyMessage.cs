namespace ServiceMesh;

/// <summary>The encoded answer to a request, or how handling a signal ended. Immutable.</summary>
public sealed class ReplyMessage
{
    // One for each thread is enough: in memory the caller reads its answer on the thread of the handler.
    [ThreadStatic]
    private static ReplyMessage? t_free;

    private StatusCode _status;
    private Headers _headers = Headers.Empty;
    private string _contentType = "";
    private ReadOnlyMemory<byte> _body;
    private string? _error;
    private byte[]? _buffer;
    private bool _isRented;
    private bool _isOfHandler;

    /// <summary>How it ended; 100 to 999.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The status is outside 100 to 999.</exception>
    public required StatusCode Status { get => _status; init => _status = StatusRange.Checked(value, nameof(Status)); }

    /// <summary>Texts that the handler set beside its answer. Default: none.</summary>
    public Headers Headers { get => _headers; init => _headers = value; }

    /// <summary>The media type of <see cref="Body"/>; empty without a body.</summary>
    public string ContentType { get => _contentType; init => _contentType = value; }

    /// <summary>The encoded answer; empty for most failures.</summary>
    public ReadOnlyMemory<byte> Body
    {
        get => Passed is null ? _body : Passed.Encode();
        init => _body = value;
    }

    /// <summary>What went wrong, in a sentence for the caller; null on success.</summary>
    public string? Error { get => _error; init => _error = value; }

    /// <summary>
    /// True when no handler ran for this request, so that sending it again cannot do anything twice.
    /// A transport must carry this mark.
    /// </summary>
    public bool NotProcessed { get; init; }

    /// <summary>
    /// True for a failing status that the handler chose itself, so that its 408 is not taken for a deadline that passed, and its 503
    /// not for a transport that is away. A transport must carry this mark. Default: false.
    /// </summary>
    public bool IsOfHandler { get => _isOfHandler; init => _isOfHandler = value; }

    /// <summary>
    /// After how long another attempt may succeed, when the refusal said so: an open circuit, a server's
    /// <c>Retry-After</c>. Null when it is not known. Over HTTP it travels; other transports need not carry it.
    /// </summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The most characters that <see cref="Failure"/> keeps of an error; the rest is cut off.</summary>
    public const int MaxErrorCharacters = 4096;

    /// <summary>The value itself, where it is handed over within one process; null when there is a body.</summary>
    internal PassedValue? Passed { get; private set; }

    /// <summary>The size of the body; 0 for a value that is handed over.</summary>
    internal int BodyLength => _body.Length;

    /// <summary>What this node itself threw on the way out; never travels.</summary>
    internal Exception? Exception { get; init; }

    /// <summary>True when another implementation answered: it may file no report of its failure.</summary>
    internal bool IsForeign { get; init; }

    /// <summary>
    /// True when the caller's node files the error report for this answer: what ended before or without a handler is
    /// known best, and known only once, where the caller waits. Everything else is reported where the handler ran, if that is a node
    /// of ServiceMesh.
    /// </summary>
    internal bool IsReportedByCaller =>
        IsForeign
        || Status is StatusCode.DeadlinePassed or StatusCode.Unavailable
        || (NotProcessed && Status is StatusCode.NotFound or StatusCode.BodyTooLarge or StatusCode.Overloaded);

    /// <summary>
    /// An answer that serves again once its caller has read it and has called <see cref="Release"/>. Only for an answer that no
    /// step of the application sees: it changes then (see docs/decisions/0021-one-object-each-way.md). A caller that does not
    /// release it leaves it to the garbage collector.
    /// </summary>
    internal static ReplyMessage Rent()
    {
        var reply = t_free ?? new() { Status = StatusCode.Ok };
        t_free = null;
        reply._isRented = true;
        return reply;
    }

    /// <summary>Fills a new or rented answer of a handler with a body.</summary>
    /// <param name="status">How it ended.</param>
    /// <param name="headers">What the handler set beside its answer.</param>
    /// <param name="contentType">The media type of the body.</param>
    /// <param name="body">The encoded answer; it may lie in <paramref name="buffer"/>.</param>
    /// <param name="buffer">Kept for the next answer.</param>
    /// <param name="error">What went wrong; null on success.</param>
    internal ReplyMessage Fill(
        StatusCode status, Headers headers, string contentType, ReadOnlyMemory<byte> body, byte[]? buffer, string? error)
    {
        (_status, _headers, _contentType, _body, _buffer, _error) = (status, headers, contentType, body, buffer, error);
        _isOfHandler = status.IsFailure;
        return this;
    }

    /// <summary>Fills a new or rented answer of a handler with a value that is handed over.</summary>
    internal ReplyMessage Fill(StatusCode status, Headers headers, string contentType, PassedValue value, string? error)
    {
        (_status, _headers, _contentType, Passed, _error) = (status, headers, contentType, value, error);
        _isOfHandler = status.IsFailure;
        return this;
    }

    /// <summary>The buffer that a rented answer has from the one before; null when there is none.</summary>
    internal byte[]? Buffer => _buffer;

    /// <summary>The caller has read it, and nothing else refers to it. Does nothing for an answer that was not rented.</summary>
    internal void Release()
    {
        if (_isRented)
        {
            _isRented = false;
            (_headers, _body, _error, Passed) = (Headers.Empty, default, null, null);
            t_free = this;
        }
    }

    /// <summary>An answer without a body that says what went wrong.</summary>
    /// <param name="status">300 to 999.</param>
    /// <param name="error">A sentence for the caller; what is beyond <see cref="MaxErrorCharacters"/> is cut off.</param>
    /// <param name="notProcessed">Whether it is certain that no handler ran.</param>
    /// <param name="retryAfter">After how long another attempt may succeed, when that is known.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not that of a failure.</exception>
    public static ReplyMessage Failure(StatusCode status, string error, bool notProcessed = false, TimeSpan? retryAfter = null) =>
        new()
        {
            Status = StatusRange.CheckedFailure(status, nameof(status)),
            Error = ExceptionText.Cut(error, MaxErrorCharacters),
            NotProcessed = notProcessed,
            RetryAfter = retryAfter,
        };

    /// <summary>The answer of a transport that found no node that handles the topic.</summary>
    public static ReplyMessage NoHandler(Topic topic, string? advice = null) => Failure(
        StatusCode.NotFound,
        $"No node handles '{topic}'. " +
        (advice ?? "Start a service that does, and check that both use the same transport and the same topic."),
        notProcessed: true);
}
