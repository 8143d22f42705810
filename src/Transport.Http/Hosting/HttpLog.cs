using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>What the transport logs. Ids are stable.</summary>
internal static partial class HttpLog
{
    [LoggerMessage(400, LogLevel.Information, "Node {NodeId} listens on {Addresses}")]
    public static partial void Listening(ILogger logger, string nodeId, string addresses);

    [LoggerMessage(401, LogLevel.Warning, "Service {Service} ({Address}) has no endpoint yet: {Reason}. The node runs on and keeps looking")]
    public static partial void ServiceIsEmpty(ILogger logger, string service, string address, string reason);

    [LoggerMessage(EventId = 402, Message = "Endpoint {Endpoint} of service {Service} is unreachable: {Reason}")]
    public static partial void EndpointIsUnreachable(ILogger logger, string service, Endpoint endpoint, string reason, LogLevel level);

    [LoggerMessage(403, LogLevel.Information, "Endpoint {Endpoint} of service {Service} answers again")]
    public static partial void EndpointIsBack(ILogger logger, string service, Endpoint endpoint);

    [LoggerMessage(404, LogLevel.Warning, "These nodes have not heard in time that {What}: {Watchers}")]
    public static partial void NotHeard(ILogger logger, string what, string watchers);

    [LoggerMessage(405, LogLevel.Error, "The balancer {Balancer} of '{Topic}' refused its new endpoints and chooses among those that it has")]
    public static partial void BalancerFailed(ILogger logger, string balancer, string topic, Exception failure);

    [LoggerMessage(408, LogLevel.Error, "The balancer {Balancer} of '{Topic}' failed to choose: the first endpoint that can take the message gets it")]
    public static partial void PickFailed(ILogger logger, string balancer, string topic, Exception failure);

    [LoggerMessage(
        406, LogLevel.Warning, "Endpoint {Endpoint} of service {Service} is now node {First} and now node {Second}: is it a load balancer? List the nodes themselves, so that each is watched")]
    public static partial void EndpointIsMany(ILogger logger, Endpoint endpoint, string service, string first, string second);

    [LoggerMessage(420, LogLevel.Warning, "Endpoint {Endpoint} of service {Service} is left out for {Seconds} s: {Cause}")]
    public static partial void EndpointIsEjected(ILogger logger, Endpoint endpoint, string service, EjectionCause cause, double seconds);

    [LoggerMessage(421, LogLevel.Information, "Endpoint {Endpoint} of service {Service} is back: {Cause}")]
    public static partial void EndpointIsTakenBack(ILogger logger, Endpoint endpoint, string service, EjectionCause cause);

    [LoggerMessage(422, LogLevel.Warning, "Circuit of endpoint {Endpoint} of service {Service}: {Why}")]
    public static partial void CircuitIsOpen(ILogger logger, Endpoint endpoint, string service, string why);

    [LoggerMessage(423, LogLevel.Information, "The circuit of endpoint {Endpoint} of service {Service} is closed: {Cause}")]
    public static partial void CircuitIsClosed(ILogger logger, Endpoint endpoint, string service, CircuitCause cause);
}
