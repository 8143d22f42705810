using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Says which services a change of the configuration added, changed and removed.</summary>
internal static class ServiceDifference
{
    public static void Log<T>(ILogger logger, IReadOnlyDictionary<string, T> before, IReadOnlyDictionary<string, T> after)
        where T : class => ReloadLog.TakenOver(
            logger,
            Names(after.Keys.Except(before.Keys)),
            Names(after.Where(s => before.TryGetValue(s.Key, out var old) && old != s.Value).Select(s => s.Key)),
            Names(before.Keys.Except(after.Keys)));

    private static string Names(IEnumerable<string> names) =>
        string.Join(", ", names.Order(StringComparer.Ordinal)) is { Length: > 0 } all ? all : "none";
}
