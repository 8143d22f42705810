using System.Globalization;
using System.Net.Http.Headers;

namespace ServiceMesh.Http;

/// <summary>What <c>Retry-After</c> asks for (RFC 9110, 10.2.3): seconds, or a date. Pure but for the clock, which a date needs.</summary>
internal static class RetryAfter
{
    /// <summary>How long the server wants to be left alone; zero when its date has passed, null when the text says nothing.</summary>
    public static TimeSpan? Read(string value, TimeProvider clock) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds)
        : RetryConditionHeaderValue.TryParse(value, out var header) ? Of(header, clock)
        : null;

    /// <summary>The same of a header that was read.</summary>
    public static TimeSpan? Of(RetryConditionHeaderValue? header, TimeProvider clock) => header switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - clock.GetUtcNow() is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero,
        _ => null,
    };
}
