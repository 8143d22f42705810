using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The phases of an HTTP request, each with a timeout of its own.</summary>
public enum TimeoutPhase
{
    /// <summary>Until the TCP connection is there.</summary>
    Connect,

    /// <summary>The TLS handshake.</summary>
    Tls,

    /// <summary>From the first byte of the request, when there is a connection, to the headers of the answer.</summary>
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
    /// <param name="underWay">What was under way within it. Default: the phase itself.</param>
    public PhaseTimeoutException(TimeoutPhase phase, TimeSpan limit, string? endpoint, Exception? innerException = null, TimeoutPhase? underWay = null)
        : base(Describe(phase, limit, endpoint, underWay ?? phase), innerException) => (Phase, Limit, Endpoint, UnderWay) = (phase, limit, endpoint, underWay ?? phase);

    /// <summary>What took too long: the timeout that fired.</summary>
    public TimeoutPhase Phase { get; }

    /// <summary>
    /// What was under way when it fired: <see cref="TimeoutPhase.Connect"/> or <see cref="TimeoutPhase.Tls"/> when there was no
    /// connection yet, so that nothing was sent, whichever timeout that was. Otherwise as <see cref="Phase"/>.
    /// </summary>
    public TimeoutPhase UnderWay { get; }

    /// <summary>How long it may take.</summary>
    public TimeSpan Limit { get; }

    /// <summary>Where: scheme, host and port. Null when no endpoint had been chosen.</summary>
    public string? Endpoint { get; }

    /// <summary>The key of the limit within the section of the bus: <c>Http:Timeouts:Attempt</c>.</summary>
    public string Key => $"Http:Timeouts:{Phase}";

    /// <summary>The one among a failure and what led to it; null when there is none.</summary>
    internal static PhaseTimeoutException? In(Exception? failure)
    {
        while (failure is not (null or PhaseTimeoutException))
        {
            failure = failure.InnerException;
        }

        return (PhaseTimeoutException?)failure;
    }

    private static string Describe(TimeoutPhase phase, TimeSpan limit, string? endpoint, TimeoutPhase underWay)
    {
        var (where, time) = (endpoint ?? "The request", string.Create(CultureInfo.InvariantCulture, $"{limit.TotalSeconds:0.###} s"));
        return (phase, underWay) switch
        {
            (TimeoutPhase.Total, _) when endpoint is null => $"The request had not ended within {time} (timeout: Total).",
            (TimeoutPhase.Total, TimeoutPhase.Connect) => $"The request had not ended within {time}; the last endpoint was {endpoint}, which had not accepted a connection (timeout: Total).",
            (TimeoutPhase.Total, TimeoutPhase.Tls) => $"The request had not ended within {time}; the last endpoint was {endpoint}, which had not finished the TLS handshake (timeout: Total).",
            (TimeoutPhase.Total, _) => $"The request had not ended within {time}; the last endpoint was {endpoint} (timeout: Total).",
            (_, TimeoutPhase.Connect) => $"{where} did not accept a connection within {time} (timeout: {phase}).",
            (_, TimeoutPhase.Tls) => $"{where} did not finish the TLS handshake within {time} (timeout: {phase}).",
            (TimeoutPhase.ResponseHeaders, _) => $"{where} sent no response headers within {time} (timeout: ResponseHeaders).",
            (TimeoutPhase.Attempt, _) => $"{where} had not answered completely within {time} (timeout: Attempt).",
            _ => $"{where} moved no byte of a body for {time} (timeout: Idle).",
        };
    }
}
