using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Log messages about services and the balancers of routes. The ids are stable.</summary>
internal static partial class RoutingLog
{
    [LoggerMessage(401, LogLevel.Warning, "Service {Service} ({Address}) has no endpoint yet: {Reason}. The node starts and keeps looking")]
    public static partial void ServiceIsEmpty(ILogger logger, string service, string address, string reason);
}
