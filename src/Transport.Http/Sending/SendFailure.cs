using System.Net.Sockets;

namespace ServiceMesh.Http;

/// <summary>What the failure of an HTTP request means, and how it is described. Pure.</summary>
internal static class SendFailure
{
    // RFC 9113, 7. A refused stream was not processed. A connection that is closed without an error (GOAWAY) may have processed it.
    private const long NoError = 0;
    private const long RefusedStream = 7;

    /// <summary>Whether a failure means that nothing ran: there was no connection, or the server refused the stream.</summary>
    public static bool WasNotSent(AttemptRequest request, Exception failure) => !request.HasBegun || WasNotSent(failure);

    /// <summary>The same, if only the exception is known.</summary>
    public static bool WasNotSent(Exception failure) => failure switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } => true,
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => true,
        PhaseTimeoutException { UnderWay: TimeoutPhase.Connect or TimeoutPhase.Tls } => true,
        HttpRequestException { InnerException: HttpProtocolException { ErrorCode: RefusedStream } } => true,
        _ => false,
    };

    /// <summary>
    /// Whether the server ended the stream or the connection in good order, as a server does that is restarted or that has enough streams:
    /// that is not a failure of the endpoint.
    /// </summary>
    public static bool IsOrderly(Exception failure) => failure is
        HttpRequestException { InnerException: HttpProtocolException { ErrorCode: NoError or RefusedStream } };

    /// <summary>The failure in a few words.</summary>
    public static string Describe(Exception failure) => failure.GetBaseException() switch
    {
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "refuses connections",
        _ when (failure as PhaseTimeoutException ?? failure.InnerException as PhaseTimeoutException) is { } timeout =>
            timeout.Message.TrimEnd('.'),
        var other => other.Message,
    };
}
