using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Log messages about balancers that throw. The ids are stable.</summary>
internal static partial class BalancerLog
{
    [LoggerMessage(405, LogLevel.Error, "The balancer {Balancer} of '{Topic}' threw at an update and keeps the endpoints that it has")]
    public static partial void UpdateFailed(ILogger logger, string balancer, string topic, Exception failure);

    [LoggerMessage(
        408, LogLevel.Error,
        "The balancer {Balancer} of '{Topic}' threw at a pick: the first endpoint that can take the message is used")]
    public static partial void PickFailed(ILogger logger, string balancer, string topic, Exception failure);
}
