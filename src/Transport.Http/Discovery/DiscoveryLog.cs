using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Every log message of discovery.</summary>
internal static partial class DiscoveryLog
{
    [LoggerMessage(200, LogLevel.Information, "{Service} has {Count} addresses now; {Gone} are gone")]
    public static partial void Resolved(ILogger logger, string service, int count, int gone);

    [LoggerMessage(201, LogLevel.Warning, "{Service} could not be resolved: {Reason} The last {Count} addresses stay in use")]
    public static partial void ResolveFailed(ILogger logger, string service, string reason, int count);

    [LoggerMessage(202, LogLevel.Information, "{Service} can be resolved again")]
    public static partial void ResolveRecovered(ILogger logger, string service);

    [LoggerMessage(204, LogLevel.Warning, "{Service} has lost its last address: {Reason}. Its requests are refused until it has one")]
    public static partial void LastAddressLost(ILogger logger, string service, string reason);

    [LoggerMessage(203, LogLevel.Warning, "Records of {Source} that are left out: {Count}. One of them: {Reason}")]
    public static partial void RecordsIgnored(ILogger logger, string source, int count, string reason);
}
