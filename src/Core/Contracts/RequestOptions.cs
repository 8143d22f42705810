namespace ServiceMesh;

/// <summary>How one request or composition is sent. Immutable; one value may serve many calls.</summary>
public sealed record RequestOptions
{
    private const string MinTimeout = "00:00:00.001";
    private const string MaxTimeout = "1.00:00:00";

    private static readonly OptionRangeAttribute s_timeoutRange = new(MinTimeout, MaxTimeout);
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// How long the caller waits in all, over every step of a composition; for a signal, how long sending may take.
    /// 1 ms to 1 day. Default: <c>ServiceMesh:Request:Timeout</c>.
    /// </summary>
    [OptionRange(MinTimeout, MaxTimeout)]
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// Texts that travel beside the body, with every step of a composition; at most 64, with 8,192 characters together. Default:
    /// none.
    /// </summary>
    public Headers Headers { get; init; } = Headers.Empty;

    /// <summary>
    /// Whether a request may run twice without harm, so that a transport may send it again when it does not know
    /// whether it ran. Default: what the contract says (<see cref="RequestTopic{TIn, TOut}.IsIdempotent"/>).
    /// </summary>
    public bool? IsIdempotent { get; init; }

    /// <summary>How it is sent again when an attempt fails, on transports that do so (HTTP). Default: as the configuration says.</summary>
    public RetryOptions? Retry { get; init; }

    /// <summary>
    /// For a handler that calls others in turn: the rest of its own time, so that no request of its own lasts longer than
    /// its caller waits. Pass the context's token too.
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

    /// <exception cref="ArgumentOutOfRangeException">The timeout is outside its range.</exception>
    internal void Check()
    {
        if (Timeout is { } timeout && !s_timeoutRange.Contains(timeout))
        {
            const string name = "RequestOptions.Timeout";
            throw new ArgumentOutOfRangeException(name, s_timeoutRange.Problem(name, timeout));
        }
    }
}
