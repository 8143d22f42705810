using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>Checks what the layers of the client are set to: each value, and those that contradict each other.</summary>
internal static class ResilienceCheck
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_day = TimeSpan.FromDays(1);

    /// <summary>What is wrong, each with its key and the rule; none when nothing is.</summary>
    /// <param name="section">Where the options stand, for instance <c>ServiceMesh:Http</c>.</param>
    /// <param name="options">What is checked.</param>
    public static IEnumerable<string> Complaints(string section, HttpTransportOptions options) =>
    [
        .. OfTimeouts($"{section}:Timeouts", options.Timeouts),
        .. OfRetry($"{section}:Retry", options.Retry, new(), options.Timeouts),
        .. options.Services.SelectMany(s => OfRetry($"{section}:Services:{s.Key}:Retry", s.Value.Retry, options.Retry, options.Timeouts)),
        .. Number($"{section}:RetryBudget:Ratio", options.RetryBudget.Ratio, 0, 1),
        .. Number($"{section}:RetryBudget:PerSecond", options.RetryBudget.PerSecond, 0, 10_000),
        .. HttpOptionsCheck.Time($"{section}:RetryBudget:Window", options.RetryBudget.Window, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)),
        .. Number($"{section}:HttpClients:ReadAhead", options.HttpClients.ReadAhead, 0, 1 << 30),
        .. options.CircuitBreaker.Complaints($"{section}:CircuitBreaker"),
        .. options.Ejection.Complaints($"{section}:Ejection"),
        .. Number($"{section}:Limits:Concurrency", options.Limits.Concurrency, 1, 1_000_000),
        .. Number($"{section}:Limits:ConcurrencyPerEndpoint", options.Limits.MostPerEndpoint, 1, options.Limits.Concurrency, $"{section}:Limits:Concurrency"),
    ];

    private static IEnumerable<string> OfTimeouts(string key, HttpTimeoutSettings timeouts) =>
    [
        .. HttpOptionsCheck.Time($"{key}:Connect", timeouts.Connect, s_tick, s_minute),
        .. HttpOptionsCheck.Time($"{key}:Tls", timeouts.Tls, s_tick, s_minute),
        .. HttpOptionsCheck.Time($"{key}:Total", timeouts.Total, s_tick, s_day),
        .. HttpOptionsCheck.Time($"{key}:Idle", timeouts.Idle, s_tick, s_day),
        .. timeouts.Attempt is { } attempt ? HttpOptionsCheck.Time($"{key}:Attempt", attempt, s_tick, s_day) : [],
        .. timeouts.ResponseHeaders is { } headers ? HttpOptionsCheck.Time($"{key}:ResponseHeaders", headers, s_tick, s_day) : [],
        .. AtMost($"{key}:Attempt", timeouts.Attempt, $"{key}:Total", timeouts.Total),
        .. AtMost($"{key}:ResponseHeaders", timeouts.ResponseHeaders, timeouts.Attempt is null ? $"{key}:Total" : $"{key}:Attempt", timeouts.Attempt ?? timeouts.Total),
    ];

    private static IEnumerable<string> OfRetry(string key, HttpRetrySettings retry, HttpRetrySettings inherited, HttpTimeoutSettings timeouts)
    {
        var rules = CallSettings.Of(retry, inherited, timeouts);
        return
        [
            .. retry.Attempts is { } attempts ? Number($"{key}:Attempts", attempts, 1, 10) : [],
            .. retry.Backoff is { } backoff ? HttpOptionsCheck.Time($"{key}:Backoff", backoff, TimeSpan.Zero, s_minute) : [],
            .. retry.LongestBackoff is { } longest ? HttpOptionsCheck.Time($"{key}:LongestBackoff", longest, TimeSpan.Zero, s_minute) : [],
            .. retry.Backoff is null && retry.LongestBackoff is null ? [] : AtMost($"{key}:Backoff", rules.Backoff, $"{key}:LongestBackoff", rules.LongestBackoff),
            .. retry.HedgeAfter is { } hedge ? HttpOptionsCheck.Time($"{key}:HedgeAfter", hedge, s_tick, s_day) : [],
            .. retry.HedgeAfter is { } after && after >= (rules.AttemptTimeout ?? HttpTimeoutSettings.DefaultOfAttempt)
                ? [$"{key}:HedgeAfter is {after}, and an attempt may take {rules.AttemptTimeout ?? HttpTimeoutSettings.DefaultOfAttempt} (ServiceMesh:Http:Timeouts:Attempt): hedge before that."]
                : Array.Empty<string>(),
        ];
    }

    private static IEnumerable<string> AtMost(string key, TimeSpan? value, string otherKey, TimeSpan bound)
    {
        if (value > bound)
        {
            yield return $"{key} is {value}; at most {otherKey} is allowed, which is {bound}.";
        }
    }

    private static IEnumerable<string> Number(string key, double value, double least, double most, string? mostKey = null)
    {
        if (!(value >= least && value <= most))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; allowed are {least} to {most}{(mostKey is null ? "" : $" ({mostKey})")}.");
        }
    }
}
