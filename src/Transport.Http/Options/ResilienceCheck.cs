using static ServiceMesh.Http.SettingRules;

namespace ServiceMesh.Http;

/// <summary>Checks what the layers of the client are set to: each value, and those that contradict each other.</summary>
internal static class ResilienceCheck
{
    /// <summary>What is wrong, each with its key and the rule; none when nothing is.</summary>
    /// <param name="section">Where the options stand, for instance <c>ServiceMesh:Http</c>.</param>
    /// <param name="options">What is checked.</param>
    /// <param name="ofRequest">How long a request of the bus may take, and the key that says so; null for HttpClients, which have <c>Timeouts:Total</c>.</param>
    public static IEnumerable<string> Complaints(string section, HttpTransportOptions options, Total? ofRequest)
    {
        var timeouts = $"{section}:Timeouts";
        var total = ofRequest ?? new($"{timeouts}:Total", options.Timeouts.Total);
        return
        [
            .. OfTimeouts(timeouts, options.Timeouts, total),
            .. OfRetry($"{section}:Retry", options.Retry, new(), options.Timeouts, timeouts, total),
            .. options.Services.SelectMany(s => OfRetry($"{section}:Services:{s.Key}:Retry", s.Value.Retry, options.Retry, options.Timeouts, timeouts, total)),
            .. Share($"{section}:RetryBudget:Ratio", options.RetryBudget.Ratio),
            .. Number($"{section}:RetryBudget:PerSecond", options.RetryBudget.PerSecond, 0, 10_000),
            .. Time($"{section}:RetryBudget:Window", options.RetryBudget.Window, TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(1)),
            .. Number($"{section}:HttpClients:ReadAhead", options.HttpClients.ReadAhead, 0, 1 << 30),
            .. options.CircuitBreaker.Complaints($"{section}:CircuitBreaker"),
            .. options.Ejection.Complaints($"{section}:Ejection"),
            .. Number($"{section}:Limits:Concurrency", options.Limits.Concurrency, 1, 1_000_000),
            .. Number($"{section}:Limits:ConcurrencyPerEndpoint", options.Limits.MaxPerEndpoint, 1, options.Limits.Concurrency, $"{section}:Limits:Concurrency"),
        ];
    }

    private static IEnumerable<string> OfTimeouts(string key, HttpTimeoutOptions timeouts, Total total) =>
    [
        .. timeouts.Connect is { } connect ? Time($"{key}:Connect", connect, Minute) : [],
        .. timeouts.Tls is { } tls ? Time($"{key}:Tls", tls, Minute) : [],
        .. Time($"{key}:Total", timeouts.Total, Day),
        .. Time($"{key}:Idle", timeouts.Idle, Day),
        .. timeouts.Attempt is { } attempt ? Time($"{key}:Attempt", attempt, Day).Concat(NotLonger($"{key}:Attempt", attempt, total.Key, total.Time)) : [],
        .. timeouts.ResponseHeaders is { } headers
            ? Time($"{key}:ResponseHeaders", headers, Day)
                .Concat(NotLonger($"{key}:ResponseHeaders", headers, timeouts.Attempt is null ? total.Key : $"{key}:Attempt", timeouts.Attempt ?? total.Time))
            : [],
        .. timeouts.Attempt is { } whole ? Connecting(key, timeouts, whole) : [],
    ];

    // What is not set gives way: its default is less where an attempt has less time.
    private static IEnumerable<string> Connecting(string key, HttpTimeoutOptions timeouts, TimeSpan attempt) => (timeouts.Connect, timeouts.Tls) switch
    {
        ({ } connect, { } tls) when connect <= attempt && tls <= attempt => NotLonger($"{key}:Connect and {key}:Tls together", connect + tls, $"{key}:Attempt", attempt),
        var (connect, tls) => NotLonger($"{key}:Connect", connect ?? TimeSpan.Zero, $"{key}:Attempt", attempt).Concat(NotLonger($"{key}:Tls", tls ?? TimeSpan.Zero, $"{key}:Attempt", attempt)),
    };

    private static IEnumerable<string> OfRetry(string key, HttpRetryOptions retry, HttpRetryOptions inherited, HttpTimeoutOptions timeouts, string timeoutsKey, Total total)
    {
        var rules = CallSettings.Of(retry, inherited, timeouts);
        return
        [
            .. retry.Attempts is { } attempts ? Number($"{key}:Attempts", attempts, 1, 10) : [],
            .. retry.Backoff is { } backoff ? Time($"{key}:Backoff", backoff, Minute, TimeSpan.Zero) : [],
            .. retry.MaxBackoff is { } longest ? Time($"{key}:MaxBackoff", longest, Minute, TimeSpan.Zero) : [],
            .. retry.Backoff is null && retry.MaxBackoff is null ? [] : NotLonger($"{key}:Backoff", rules.Backoff, $"{key}:MaxBackoff", rules.MaxBackoff, TimeSpan.Zero),
            .. retry.HedgeAfter is { } hedge ? OfHedge(key, hedge, rules, timeoutsKey, total) : [],
        ];
    }

    private static IEnumerable<string> OfHedge(string key, TimeSpan hedge, CallSettings rules, string timeoutsKey, Total total)
    {
        foreach (var complaint in Time($"{key}:HedgeAfter", hedge, Day))
        {
            yield return complaint;
        }

        var attempt = rules.AttemptTimeout ?? HttpTimeoutOptions.DefaultOfAttempt;
        if (hedge >= attempt)
        {
            yield return $"{key}:HedgeAfter is {hedge}, and an attempt may take {attempt} ({timeoutsKey}:Attempt): hedge before that.";
        }
        else if (hedge >= rules.HeadersTimeout)
        {
            yield return $"{key}:HedgeAfter is {hedge}, and the headers of an answer may take {rules.HeadersTimeout} ({timeoutsKey}:ResponseHeaders): hedge before that.";
        }
        else if (hedge >= total.Time)
        {
            yield return $"{key}:HedgeAfter is {hedge}, and a request may take {total.Time} in all ({total.Key}): hedge before that.";
        }

        if (rules.Attempts == 1)
        {
            yield return $"{key}:HedgeAfter is {hedge}, and {key}:Attempts is 1; a hedge is an attempt: allow 2 or more, or leave {key}:HedgeAfter out.";
        }
    }
}

/// <summary>How long a request may take in all.</summary>
/// <param name="Key">What says so, for instance <c>ServiceMesh:Request:Timeout</c>.</param>
/// <param name="Time">How long.</param>
internal sealed record Total(string Key, TimeSpan Time);
