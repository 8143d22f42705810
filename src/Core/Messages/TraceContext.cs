using System.Diagnostics;

namespace ServiceMesh;

/// <summary>
/// The headers of W3C Trace Context and W3C Baggage: one unit, which comes from outside with a message and is not the application's own.
/// What is wrong with it is dropped, because a trace is never worth a message. Pure.
/// </summary>
internal static class TraceContext
{
    public const string Parent = "traceparent";
    public const string State = "tracestate";
    public const string Baggage = "baggage";

    /// <summary>How many such headers there are.</summary>
    public const int Count = 3;

    // A version of the future may be longer than the 55 characters of today.
    private const int MaxParentLength = 256;

    // What the specifications say that a vendor should pass on: of a tracestate, and of baggage.
    private const int MaxStateLength = 512;
    private const int MaxBaggageLength = 8192;

    /// <summary>The trace id within a traceparent; null when there is none, or it cannot be read.</summary>
    public static string? TraceIdOf(Headers headers) =>
        headers.Count > 0 && headers[Parent] is { } parent && ActivityContext.TryParse(parent, null, out var context)
            ? context.TraceId.ToHexString()
            : null;

    /// <summary>True for one of these headers. They do not count against the limits of the application.</summary>
    public static bool Owns(string name) => name.Length switch
    {
        11 => name.Equals(Parent, StringComparison.OrdinalIgnoreCase),
        10 => name.Equals(State, StringComparison.OrdinalIgnoreCase),
        7 => name.Equals(Baggage, StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    /// <summary>False for a value that is dropped: too long, or with a control character.</summary>
    public static bool IsValid(string name, string value)
    {
        var max = name.Length switch
        {
            11 => MaxParentLength,
            10 => MaxStateLength,
            _ => MaxBaggageLength,
        };
        return value.Length <= max && !value.Any(char.IsControl);
    }
}
