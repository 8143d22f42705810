using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The phases of an HTTP request, each with a timeout of its own.</summary>
public enum TimeoutPhase
{
    /// <summary>Until the TCP connection is there.</summary>
    Connect,

    /// <summary>The TLS handshake.</summary>
    Tls,

    /// <summary>From the end of the connecting to the headers of the answer.</summary>
    ResponseHeaders,

    /// <summary>One attempt at one endpoint, its answer's body included.</summary>
    Attempt,

    /// <summary>The whole of a request, all attempts and pauses included.</summary>
    Total,

    /// <summary>Nothing moved in the middle of a body.</summary>
    Idle,
}

/// <summary>A phase of an HTTP request took longer than it may: which one, how long, and at which endpoint.</summary>
public sealed class PhaseTimeoutException : TimeoutException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="phase">What took too long.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="endpoint">Where; for <see cref="TimeoutPhase.Total"/> the last one tried, or null.</param>
    /// <param name="innerException">What the platform threw.</param>
    public PhaseTimeoutException(TimeoutPhase phase, TimeSpan limit, string? endpoint, Exception? innerException = null)
        : base(Describe(phase, limit, endpoint), innerException) => (Phase, Limit, Endpoint) = (phase, limit, endpoint);

    /// <summary>What took too long.</summary>
    public TimeoutPhase Phase { get; }

    /// <summary>How long it may take.</summary>
    public TimeSpan Limit { get; }

    /// <summary>Where: scheme, host and port. Null when no endpoint had been chosen.</summary>
    public string? Endpoint { get; }

    /// <summary>The configuration key of the limit.</summary>
    public string Key => $"ServiceMesh:Http:Timeouts:{Phase}";

    /// <summary>The one among a failure and what led to it; null when there is none.</summary>
    internal static PhaseTimeoutException? In(Exception? failure)
    {
        while (failure is not (null or PhaseTimeoutException))
        {
            failure = failure.InnerException;
        }

        return (PhaseTimeoutException?)failure;
    }

    private static string Describe(TimeoutPhase phase, TimeSpan limit, string? endpoint)
    {
        var (where, time) = (endpoint ?? "The request", string.Create(CultureInfo.InvariantCulture, $"{limit.TotalSeconds:0.###} s"));
        return phase switch
        {
            TimeoutPhase.Connect => $"{where} did not accept a connection within {time} (timeout: Connect).",
            TimeoutPhase.Tls => $"{where} did not finish the TLS handshake within {time} (timeout: Tls).",
            TimeoutPhase.ResponseHeaders => $"{where} sent no response headers within {time} (timeout: ResponseHeaders).",
            TimeoutPhase.Attempt => $"{where} had not answered completely within {time} (timeout: Attempt).",
            TimeoutPhase.Idle => $"{where} moved no byte of a body for {time} (timeout: Idle).",
            _ => endpoint is null ? $"The request had not ended within {time} (timeout: Total)." : $"The request had not ended within {time}; the last endpoint was {endpoint} (timeout: Total).",
        };
    }
}
