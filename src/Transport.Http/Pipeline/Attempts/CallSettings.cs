namespace ServiceMesh.Http;

/// <summary>How one request is retried and timed, put together from the request, its service and the client. Immutable.</summary>
internal sealed record CallSettings
{
    public int Attempts { get; init; } = 3;

    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(25);

    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Null: no hedging.</summary>
    public TimeSpan? HedgeAfter { get; init; }

    /// <summary>Null: as <see cref="HttpTimeoutOptions.Attempt"/> says.</summary>
    public TimeSpan? AttemptTimeout { get; init; }

    /// <summary>Null: as <see cref="HttpTimeoutOptions.ResponseHeaders"/> says.</summary>
    public TimeSpan? HeadersTimeout { get; init; }

    /// <summary>What is worth another attempt beyond the rules, or not, by the status of an answer; null for the rules.</summary>
    public Func<int, bool>? RetryOn { get; init; }

    /// <summary>The settings of a service: its own, and where it has none the client's.</summary>
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
        };
    }

    /// <summary>What the request itself says goes first.</summary>
    public CallSettings With(RetryOptions? request) => request is null ? this : this with
    {
        Attempts = request.Attempts ?? Attempts,
        AttemptTimeout = request.AttemptTimeout ?? AttemptTimeout,
        HedgeAfter = request.HedgeAfter is { } asked ? Sooner(asked) : HedgeAfter,
        RetryOn = request.RetryOn is { } wants ? status => wants((StatusCode)status) : RetryOn,
    };

    /// <summary>How long one attempt may take; infinite when only the caller's own time limits it.</summary>
    public TimeSpan AttemptLimit(bool isRepeatable, TimeSpan remaining) => Limit(AttemptTimeout, isRepeatable, remaining);

    /// <summary>How long the headers of its answer may take; infinite when the attempt's own limit says it all.</summary>
    public TimeSpan HeadersLimit(bool isRepeatable, TimeSpan remaining) => HeadersTimeout is null
        ? Timeout.InfiniteTimeSpan
        : Limit(HeadersTimeout, isRepeatable, AttemptLimit(isRepeatable, remaining) is var attempt && attempt == Timeout.InfiniteTimeSpan ? remaining : attempt);

    // No request lasts longer than a day, and no timer for ever.
    private static TimeSpan? Sooner(TimeSpan hedge) => hedge > TimeSpan.Zero && hedge < TimeSpan.FromDays(1) ? hedge : null;

    // A timer that cannot fire before the one above it is not worth having.
    private static TimeSpan Limit(TimeSpan? set, bool isRepeatable, TimeSpan bound) =>
        (set ?? (isRepeatable ? HttpTimeoutOptions.DefaultOfAttempt : bound)) is var limit && limit < bound ? limit : Timeout.InfiniteTimeSpan;
}
