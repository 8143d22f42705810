using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace ServiceMesh;

/// <summary>
/// Says which keys of a bus's configuration were changed while it runs, and that they take effect after a restart. Values are not logged:
/// some are secrets. Thread-safe.
/// </summary>
internal sealed class RestartNotice : IDisposable
{
    private const int MaxKeys = 20;

    private readonly Lock _lock = new();
    private readonly IConfiguration? _section;
    private readonly string[] _takenOver;
    private readonly ILogger _logger;
    private readonly IDisposable? _registration;
    private Dictionary<string, string?> _known;

    /// <param name="section">The configuration of the bus; null for none, which does not change.</param>
    /// <param name="takenOver">What is in force at run time, as keys or their beginnings: not mentioned.</param>
    /// <param name="logger">Is told.</param>
    public RestartNotice(IConfiguration? section, IEnumerable<ReloadedKeys> takenOver, ILogger logger)
    {
        (_section, _takenOver, _logger) = (section, [.. takenOver.Select(keys => keys.Prefix)], logger);
        _known = Read();
        _registration = section is null ? null : CleanContext.Call(() => ChangeToken.OnChange(section.GetReloadToken, Compare));
    }

    public void Dispose() => _registration?.Dispose();

    private void Compare()
    {
        string[] changed;
        lock (_lock)
        {
            var now = Read();
            changed =
            [
                .. now.Keys.Union(_known.Keys, StringComparer.OrdinalIgnoreCase)
                    .Where(key => now.GetValueOrDefault(key) != _known.GetValueOrDefault(key) && !IsTakenOver(key))
                    .Select(key => SectionBinding.PathOf(_section, key))
                    .Order(StringComparer.Ordinal),
            ];
            _known = now;
        }

        if (changed.Length > 0)
        {
            var more = changed.Length > MaxKeys ? $" and {changed.Length - MaxKeys} more" : "";
            Log.NeedsRestart(_logger, Printable.Detail(string.Join(", ", changed.Take(MaxKeys)) + more));
        }
    }

    private Dictionary<string, string?> Read() => (_section?.AsEnumerable(makePathsRelative: true) ?? [])
        .Where(pair => pair.Value is not null)
        .ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.OrdinalIgnoreCase);

    private bool IsTakenOver(string key) => Array.Exists(_takenOver, prefix =>
        key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) && (key.Length == prefix.Length || key[prefix.Length] == ':'));
}

/// <summary>Keys that a transport takes over at run time: one key, or all below it.</summary>
/// <param name="Prefix">Within the section of the bus, for instance <c>Http:Services</c>.</param>
internal sealed record ReloadedKeys(string Prefix);
