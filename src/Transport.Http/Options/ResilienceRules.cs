namespace ServiceMesh.Http;

/// <summary>The rules between the options of the client's layers: timeouts within timeouts, retries, hedging, limits.</summary>
internal static class ResilienceRules
{
    /// <summary>A sentence for each contradiction, with both keys and the rule; none when the options can work.</summary>
    /// <param name="options">What is checked.</param>
    /// <param name="ofRequest">
    /// How long a request of the bus may take, and its key; null for HttpClients, which have <c>Timeouts:Total</c>.
    /// </param>
    public static IEnumerable<string> Contradictions(HttpTransportOptions options, Total? ofRequest)
    {
        var total = ofRequest ?? new(options.KeyOf("Timeouts:Total"), options.Timeouts.Total);
        string?[] problems =
        [
            .. OfTimeouts(new("", options.KeyOf, options.Timeouts, null), total),
            .. options.Services.SelectMany(s => OfTimeouts(
                new($"Services:{s.Key}:", options.KeyOf, options.Timeouts.With(s.Value.Timeouts), s.Value.Timeouts), total)),
            .. OfRetry(options, options.KeyOf("Retry"), options.Retry, new(), total),
            .. options.Services.SelectMany(s => OfRetry(
                options, options.KeyOf($"Services:{s.Key}:Retry"), s.Value.Retry, options.Retry, total, s.Value.Timeouts)),
            .. options.CircuitBreaker.Contradictions(options.KeyOf("CircuitBreaker")),
            OptionRules.NotMore(
                options.KeyOf("Limits:ConcurrencyPerEndpoint"), options.Limits.MaxPerEndpoint,
                options.KeyOf("Limits:Concurrency"), options.Limits.Concurrency),
        ];
        return problems.OfType<string>();
    }

    // For a service only what its own timeouts contradict: the others have their own sentences.
    private static IEnumerable<string?> OfTimeouts(EffectiveTimeouts of, Total ofRequest)
    {
        var timeouts = of.Timeouts;
        var total = of.Own?.Total is { } own && !ofRequest.IsOfBus ? new Total(of.KeyOf(nameof(timeouts.Total), own), own) : ofRequest;
        var attemptKey = of.KeyOf(nameof(timeouts.Attempt), of.Own?.Attempt);
        var headersKey = of.KeyOf(nameof(timeouts.ResponseHeaders), of.Own?.ResponseHeaders);
        yield return of.Own is { Attempt: null, Total: null } ? null : NotLonger(attemptKey, timeouts.Attempt, total.Key, total.Time);
        yield return of.Own is { ResponseHeaders: null, Attempt: null, Total: null } ? null
            : timeouts.Attempt is { } whole ? NotLonger(headersKey, timeouts.ResponseHeaders, attemptKey, whole)
            : NotLonger(headersKey, timeouts.ResponseHeaders, total.Key, total.Time);
        if (timeouts.Attempt is not { } attempt || of.Own is { Attempt: null, Connect: null, Tls: null })
        {
            yield break;
        }

        // An option that is not set gives way: its default is shorter where an attempt has less time.
        var (connectKey, tlsKey) = (of.KeyOf(nameof(timeouts.Connect), of.Own?.Connect), of.KeyOf(nameof(timeouts.Tls), of.Own?.Tls));
        if (timeouts is { Connect: { } connect, Tls: { } tls } && connect <= attempt && tls <= attempt)
        {
            yield return NotLonger($"{connectKey} and {tlsKey} together", connect + tls, attemptKey, attempt);
            yield break;
        }

        yield return NotLonger(connectKey, timeouts.Connect, attemptKey, attempt);
        yield return NotLonger(tlsKey, timeouts.Tls, attemptKey, attempt);
    }

    private static IEnumerable<string?> OfRetry(
        HttpTransportOptions options, string key, HttpRetryOptions retry, HttpRetryOptions inherited, Total total,
        HttpServiceTimeoutOptions? own = null)
    {
        var rules = CallSettings.Of(retry, inherited, own is null ? options.Timeouts : options.Timeouts.With(own));
        if (retry.Backoff is not null || retry.MaxBackoff is not null)
        {
            yield return OptionRules.NotMore($"{key}:Backoff", rules.Backoff, $"{key}:MaxBackoff", rules.MaxBackoff);
        }

        if (retry.HedgeAfter is { } hedge)
        {
            yield return TooLate(options, $"{key}:HedgeAfter", hedge, rules, total);
            yield return rules.Attempts > 1
                ? null
                : $"{key}:HedgeAfter is {hedge}, and {key}:Attempts is 1; a hedge is an attempt: " +
                    $"allow 2 or more, or leave {key}:HedgeAfter out.";
        }
    }

    private static string? TooLate(HttpTransportOptions options, string key, TimeSpan hedge, CallSettings rules, Total total)
    {
        var attempt = rules.AttemptTimeout ?? HttpTimeoutOptions.DefaultOfAttempt;
        var why =
            hedge >= attempt ? $"an attempt may take {attempt} ({options.KeyOf("Timeouts:Attempt")})"
            : hedge >= rules.HeadersTimeout
                ? $"the headers of an answer may take {rules.HeadersTimeout} ({options.KeyOf("Timeouts:ResponseHeaders")})"
            : hedge >= total.Time ? $"a request may take {total.Time} in all ({total.Key})"
            : null;
        return why is null ? null : $"{key} is {hedge}, and {why}: hedge before that.";
    }

    // A bound that is outside its own range has a sentence of its own already.
    private static string? NotLonger(string key, TimeSpan? value, string otherKey, TimeSpan other) =>
        value is { } time && other > TimeSpan.Zero ? OptionRules.NotMore(key, time, otherKey, other) : null;
}

/// <summary>How long a request may take in all.</summary>
/// <param name="Key">The key that says so, for instance <c>ServiceMesh:Request:Timeout</c>.</param>
/// <param name="Time">How long.</param>
/// <param name="IsOfBus">Whether it is a request of the bus, which no timeout of the HTTP transport lengthens.</param>
internal sealed record Total(string Key, TimeSpan Time, bool IsOfBus = false);

/// <summary>Timeouts as they are for one service, or for all.</summary>
/// <param name="Prefix">The part of the keys before <c>Timeouts</c>.</param>
/// <param name="Path">Returns the full path of a key.</param>
/// <param name="Timeouts">The timeouts.</param>
/// <param name="Own">Those that the service sets itself; null for those of all services.</param>
internal sealed record EffectiveTimeouts(
    string Prefix, Func<string, string> Path, HttpTimeoutOptions Timeouts, HttpServiceTimeoutOptions? Own)
{
    /// <summary>The key of a timeout: that of the service if it sets the timeout.</summary>
    public string KeyOf(string name, TimeSpan? own) => Path($"{(own is null ? "" : Prefix)}Timeouts:{name}");
}
