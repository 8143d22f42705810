using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Log messages about members and their endpoints. The ids are stable.</summary>
internal static partial class MembershipLog
{
    [LoggerMessage(EventId = 402, Message = "Endpoint {Endpoint} of service {Service} is unreachable: {Reason}")]
    public static partial void EndpointIsUnreachable(ILogger logger, string service, Endpoint endpoint, string reason, LogLevel level);

    [LoggerMessage(403, LogLevel.Information, "Endpoint {Endpoint} of service {Service} answers again")]
    public static partial void EndpointIsBack(ILogger logger, string service, Endpoint endpoint);

    [LoggerMessage(
        406, LogLevel.Warning,
        "Endpoint {Endpoint} of service {Service} is sometimes node {First} and sometimes node {Second}. It may be a load balancer: "
        + "list the nodes themselves, so that each is watched")]
    public static partial void EndpointIsMany(ILogger logger, Endpoint endpoint, string service, string first, string second);

    [LoggerMessage(
        410, LogLevel.Information,
        "A poll of endpoint {Endpoint} of service {Service} ended after {Seconds} s, while the endpoint answers. A proxy may end requests "
        + "that wait; polls wait {Wait} s from now on")]
    public static partial void PollsAreCut(ILogger logger, Endpoint endpoint, string service, double seconds, double wait);

    [LoggerMessage(
        411, LogLevel.Warning, "Endpoint {Endpoint} of service {Service} has been unreachable for {Seconds} s: {Detail}")]
    public static partial void EndpointStaysUnreachable(ILogger logger, Endpoint endpoint, string service, double seconds, string detail);

    [LoggerMessage(420, LogLevel.Warning, "Endpoint {Endpoint} of service {Service} is ejected for {Seconds} s: {Cause}")]
    public static partial void EndpointIsEjected(ILogger logger, Endpoint endpoint, string service, EjectionCause cause, double seconds);

    [LoggerMessage(421, LogLevel.Information, "Endpoint {Endpoint} of service {Service} is no longer ejected: {Cause}")]
    public static partial void EndpointHasReturned(ILogger logger, Endpoint endpoint, string service, EjectionCause cause);

    [LoggerMessage(422, LogLevel.Warning, "Circuit of endpoint {Endpoint} of service {Service}: {Why}")]
    public static partial void CircuitIsOpen(ILogger logger, Endpoint endpoint, string service, string why);

    [LoggerMessage(423, LogLevel.Information, "The circuit of endpoint {Endpoint} of service {Service} is closed: {Cause}")]
    public static partial void CircuitIsClosed(ILogger logger, Endpoint endpoint, string service, CircuitCause cause);
}
