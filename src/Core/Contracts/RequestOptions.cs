namespace ServiceMesh;

/// <summary>How one request or composition is sent. Immutable; one value may serve many calls.</summary>
public sealed record RequestOptions
{
    /// <summary>
    /// How long the caller waits in all, over every step of a composition. 1 ms to 1 day.
    /// Default: <c>ServiceMesh:Request:Timeout</c>.
    /// </summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Texts that travel beside the body, with every step of a composition. Default: none.</summary>
    public Headers Headers { get; init; } = Headers.Empty;

    /// <summary>
    /// Whether a request may run twice without harm, so that a transport may send it again when it does not know what
    /// became of it. Default: what the contract says (<see cref="RequestTopic{TIn, TOut}.IsIdempotent"/>).
    /// </summary>
    public bool? IsIdempotent { get; init; }

    /// <summary>How it is sent again when an attempt fails, on transports that do. Default: as the configuration says.</summary>
    public RetryOptions? Retry { get; init; }

    /// <summary>
    /// For a handler that calls others in turn: whatever is left of its own time, so that nothing it asks for outlives
    /// the caller. Pass the context's token too.
    /// </summary>
    /// <example>
    /// <code source="samples/Snippets/Handlers.cs" region="within" />
    /// </example>
    public static RequestOptions Within(HandlerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        // With nothing left, the shortest timeout there is: the call then fails as timed out, not as misuse.
        var left = context.Remaining;
        return new() { Timeout = left > s_shortest ? left : s_shortest };
    }

    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);
}
