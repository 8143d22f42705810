namespace ServiceMesh.Http;

/// <summary>How one request is retried and timed, from the request itself, its service and the client. Immutable.</summary>
internal sealed record CallSettings
{
    public int Attempts { get; init; } = 3;

    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(25);

    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Null: no hedging.</summary>
    public TimeSpan? HedgeAfter { get; init; }

    /// <summary>Null: the default of <see cref="HttpTimeoutOptions.Attempt"/>.</summary>
    public TimeSpan? AttemptTimeout { get; init; }

    /// <summary>Null: the default of <see cref="HttpTimeoutOptions.ResponseHeaders"/>.</summary>
    public TimeSpan? HeadersTimeout { get; init; }

    /// <summary>How long a connection may take.</summary>
    public TimeSpan Connect { get; init; } = new HttpTimeoutOptions().ConnectLimit;

    /// <summary>How long a request of an HttpClient may take in all.</summary>
    public TimeSpan Total { get; init; } = new HttpTimeoutOptions().Total;

    /// <summary>How long the body of an answer to an HttpClient may be silent.</summary>
    public TimeSpan Idle { get; init; } = new HttpTimeoutOptions().Idle;

    /// <summary>Whether an answer with this status is retried, in place of the rules; null for the rules.</summary>
    public Func<int, bool>? RetryOn { get; init; }

    /// <summary>The settings of a service: its own options of retries, where it has none those for all, and its timeouts.</summary>
    public static CallSettings Of(HttpRetryOptions service, HttpRetryOptions client, HttpTimeoutOptions timeouts)
    {
        var rules = new CallSettings();
        return rules with
        {
            Attempts = service.Attempts ?? client.Attempts ?? rules.Attempts,
            Backoff = service.Backoff ?? client.Backoff ?? rules.Backoff,
            MaxBackoff = service.MaxBackoff ?? client.MaxBackoff ?? rules.MaxBackoff,
            HedgeAfter = service.HedgeAfter ?? client.HedgeAfter,
            AttemptTimeout = timeouts.Attempt,
            HeadersTimeout = timeouts.ResponseHeaders,
            Connect = timeouts.ConnectLimit,
            Total = timeouts.Total,
            Idle = timeouts.Idle,
        };
    }

    /// <summary>The same with the timeouts of one client, where they are set.</summary>
    public CallSettings With(TimeSpan? total, TimeSpan? attempt) => total is null && attempt is null ? this : this with
    {
        Total = total ?? Total,
        AttemptTimeout = attempt ?? AttemptTimeout,
    };

    /// <summary>The same with the options of one request, which come first.</summary>
    public CallSettings With(RetryOptions? request) => request is null ? this : this with
    {
        Attempts = request.Attempts ?? Attempts,
        AttemptTimeout = request.AttemptTimeout ?? AttemptTimeout,
        HedgeAfter = request.HedgeAfter is { } asked ? Sooner(asked) : HedgeAfter,
        RetryOn = request.RetryOn is { } wants ? status => wants((StatusCode)status) : RetryOn,
    };

    /// <summary>How long one attempt may take; infinite if only the remaining time of the caller limits it.</summary>
    public TimeSpan AttemptLimit(bool isRepeatable, TimeSpan remaining) => Limit(AttemptTimeout, isRepeatable, remaining);

    /// <summary>How long the response headers may take; infinite if the limit of the attempt is enough.</summary>
    public TimeSpan HeadersLimit(bool isRepeatable, TimeSpan remaining)
    {
        if (HeadersTimeout is null)
        {
            return Timeout.InfiniteTimeSpan;
        }

        var attempt = AttemptLimit(isRepeatable, remaining);
        return Limit(HeadersTimeout, isRepeatable, attempt == Timeout.InfiniteTimeSpan ? remaining : attempt);
    }

    // No request lasts longer than a day, and no timer lasts forever.
    private static TimeSpan? Sooner(TimeSpan hedge) => hedge > TimeSpan.Zero && hedge < TimeSpan.FromDays(1) ? hedge : null;

    // A timer that cannot fire before the outer one is left out.
    private static TimeSpan Limit(TimeSpan? set, bool isRepeatable, TimeSpan bound) =>
        (set ?? (isRepeatable ? HttpTimeoutOptions.DefaultOfAttempt : bound)) is var limit && limit < bound
            ? limit
            : Timeout.InfiniteTimeSpan;
}
