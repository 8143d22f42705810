using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The phases of an HTTP request. Each has its own timeout.</summary>
public enum TimeoutPhase
{
    /// <summary>Opening the TCP connection.</summary>
    Connect,

    /// <summary>The TLS handshake.</summary>
    Tls,

    /// <summary>From the first byte of the request, on an open connection, to the response headers.</summary>
    ResponseHeaders,

    /// <summary>One attempt at one endpoint, including the response body.</summary>
    Attempt,

    /// <summary>The whole request, including all attempts and pauses.</summary>
    Total,

    /// <summary>No byte of a body arrived.</summary>
    Idle,
}

/// <summary>A phase of an HTTP request exceeded its timeout: which phase, which limit, and at which endpoint.</summary>
public sealed class PhaseTimeoutException : TimeoutException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="phase">The phase whose timeout fired.</param>
    /// <param name="limit">The timeout.</param>
    /// <param name="endpoint">The endpoint; for <see cref="TimeoutPhase.Total"/> the last one that was tried, or null.</param>
    /// <param name="innerException">The exception of the platform.</param>
    /// <param name="underWay">The phase that was under way when the timeout fired. Default: <paramref name="phase"/>.</param>
    public PhaseTimeoutException(
        TimeoutPhase phase, TimeSpan limit, string? endpoint, Exception? innerException = null, TimeoutPhase? underWay = null)
        : base(Describe(phase, limit, endpoint, underWay ?? phase), innerException) =>
        (Phase, Limit, Endpoint, UnderWay) = (phase, limit, endpoint, underWay ?? phase);

    /// <summary>The phase whose timeout fired.</summary>
    public TimeoutPhase Phase { get; }

    /// <summary>
    /// The phase that was under way when the timeout fired. It is <see cref="TimeoutPhase.Connect"/> or <see cref="TimeoutPhase.Tls"/> if
    /// there was no connection yet, so that nothing was sent, whichever timeout fired. Otherwise the same as <see cref="Phase"/>.
    /// </summary>
    public TimeoutPhase UnderWay { get; }

    /// <summary>The timeout.</summary>
    public TimeSpan Limit { get; }

    /// <summary>The endpoint: scheme, host and port. Null if no endpoint had been chosen.</summary>
    public string? Endpoint { get; }

    /// <summary>The key of the timeout within the section of the bus, for instance <c>Http:Timeouts:Attempt</c>.</summary>
    public string Key => $"Http:Timeouts:{Phase}";

    /// <summary>The timeout in a chain of exceptions; null if there is none.</summary>
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
        if (phase == TimeoutPhase.Total)
        {
            var last = underWay switch
            {
                _ when endpoint is null => "",
                TimeoutPhase.Connect => $"; the last endpoint was {endpoint}, which had not accepted a connection",
                TimeoutPhase.Tls => $"; the last endpoint was {endpoint}, which had not finished the TLS handshake",
                _ => $"; the last endpoint was {endpoint}",
            };
            return $"The request had not ended within {time}{last} (timeout: Total).";
        }

        return (phase, underWay) switch
        {
            (_, TimeoutPhase.Connect) => $"{where} did not accept a connection within {time} (timeout: {phase}).",
            (_, TimeoutPhase.Tls) => $"{where} did not finish the TLS handshake within {time} (timeout: {phase}).",
            (TimeoutPhase.ResponseHeaders, _) => $"{where} sent no response headers within {time} (timeout: ResponseHeaders).",
            (TimeoutPhase.Attempt, _) => $"{where} had not answered completely within {time} (timeout: Attempt).",
            _ => $"{where} moved no byte of a body for {time} (timeout: Idle).",
        };
    }
}
