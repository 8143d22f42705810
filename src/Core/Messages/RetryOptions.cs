namespace ServiceMesh;

/// <summary>
/// How one request is sent again when an attempt fails. Transports that send to one server after another obey it (HTTP); a
/// broker hands a request to one member, once, and nothing here changes that. Immutable. Null: the
/// configured value.
/// </summary>
/// <remarks>
/// Only what may run twice without harm is sent again after an attempt that may have run: a request whose
/// <see cref="RequestOptions.IsIdempotent"/> or contract says so, or that carries an idempotency key
/// (<see cref="Headers.IdempotencyKey"/>).
/// </remarks>
public sealed record RetryOptions
{
    /// <summary>One attempt, whatever happens.</summary>
    public static readonly RetryOptions None = new() { Attempts = 1 };

    private readonly int? _attempts;
    private readonly TimeSpan? _attemptTimeout;
    private readonly TimeSpan? _hedgeAfter;

    /// <summary>Attempts in all, the first included; 1 to 10.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside the range.</exception>
    public int? Attempts
    {
        get => _attempts;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value ?? 1, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value ?? 1, 10);
            _attempts = value;
        }
    }

    /// <summary>How long one attempt may take; more than zero. What is left of the request bounds it in any case.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Zero or less.</exception>
    public TimeSpan? AttemptTimeout
    {
        get => _attemptTimeout;
        init => _attemptTimeout = Positive(value);
    }

    /// <summary>
    /// A request that may run twice and has no answer after this long is sent to a second server as well; the first answer
    /// counts. More than zero; <see cref="Timeout.InfiniteTimeSpan"/> for never, also where the configuration says otherwise.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Zero or less, but for <see cref="Timeout.InfiniteTimeSpan"/>.</exception>
    public TimeSpan? HedgeAfter
    {
        get => _hedgeAfter;
        init => _hedgeAfter = value == Timeout.InfiniteTimeSpan ? value : Positive(value);
    }

    /// <summary>
    /// Which statuses of an answer are worth another attempt, in place of the transport's own rule. It is asked for requests
    /// that may run twice only, must be thread-safe and must not throw.
    /// </summary>
    public Func<StatusCode, bool>? RetryOn { get; init; }

    private static TimeSpan? Positive(TimeSpan? value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value ?? TimeSpan.MaxValue, TimeSpan.Zero, nameof(value));
        return value;
    }
}
