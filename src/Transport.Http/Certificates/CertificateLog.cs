using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Log messages about certificates. The ids are stable.</summary>
internal static partial class CertificateLog
{
    [LoggerMessage(440, LogLevel.Information, "Read again, because they have changed: {Files}")]
    public static partial void ReadAgain(ILogger logger, string files);

    [LoggerMessage(441, LogLevel.Warning, "Changed files cannot be read, so the last certificates stay in use: {Files}: {Reason}")]
    public static partial void NotReadAgain(ILogger logger, string files, string reason);

    [LoggerMessage(442, LogLevel.Warning, "Other nodes refuse this one: {Trouble} ({Key})")]
    public static partial void NotValid(ILogger logger, string trouble, string key);
}
