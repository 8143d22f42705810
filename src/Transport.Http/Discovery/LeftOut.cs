using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// What a group does not use of the answers, and why. It logs one line for all of it, and that only when the line is another one than
/// the last: an answer comes every few seconds. Thread-safe.
/// </summary>
internal sealed class LeftOut(ILogger logger, string source)
{
    private ConcurrentBag<string> _reasons = [];
    private (int Count, string? Example) _logged;

    public void Add(string reason) => _reasons.Add(reason);

    /// <summary>Logs what was added since the last call. Not for several callers at once.</summary>
    public void Report()
    {
        var reasons = Interlocked.Exchange(ref _reasons, []);

        // Answers rotate their records, so the first in order and not in time.
        var left = (reasons.Count, reasons.Min(StringComparer.Ordinal));
        if (left.Count > 0 && left != _logged)
        {
            _logged = left;
            DiscoveryLog.RecordsIgnored(logger, source, left.Count, left.Item2!);
        }
    }
}
