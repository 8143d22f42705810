using System.Globalization;
using System.Net.Http.Headers;

namespace ServiceMesh.Http;

/// <summary>The value of <c>Retry-After</c> (RFC 9110, 10.2.3): seconds, or a date, for which the clock is needed.</summary>
internal static class RetryAfter
{
    /// <summary>How long the server asks its callers to wait; zero if its date has passed, null if the text is not valid.</summary>
    public static TimeSpan? Read(string value, TimeProvider clock) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds)
        : RetryConditionHeaderValue.TryParse(value, out var header) ? Of(header, clock)
        : null;

    /// <summary>The same for a parsed header.</summary>
    public static TimeSpan? Of(RetryConditionHeaderValue? header, TimeProvider clock) => header switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - clock.GetUtcNow() is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero,
        _ => null,
    };
}
