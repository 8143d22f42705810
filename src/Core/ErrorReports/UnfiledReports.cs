using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// Counts reports that could not be filed, and logs them without a flood: the first at once, and then one line a minute with the number
/// of those since. Thread-safe.
/// </summary>
internal sealed class UnfiledReports(Telemetry telemetry, ILogger logger, TimeProvider clock)
{
    private static readonly TimeSpan s_betweenLines = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long _toldAt;
    private Unfiled? _last;
    private int _untold;

    /// <summary>One more is lost.</summary>
    public void Add(string topic, string sender, int status, string reason, Exception? failure = null)
    {
        telemetry.Report("lost");
        var unfiled = new Unfiled(topic, sender, status, reason, failure);
        int others;
        lock (_lock)
        {
            if (_toldAt != 0 && clock.GetElapsedTime(_toldAt) < s_betweenLines)
            {
                (_last, _untold) = (unfiled, _untold + 1);
                return;
            }

            others = BeginNeedsLock();
        }

        Tell(unfiled, others);
    }

    /// <summary>Filing works again, or the node stops: what was counted is told now.</summary>
    public void Tell()
    {
        if (Volatile.Read(ref _untold) == 0)
        {
            return;
        }

        Unfiled? last;
        int others;
        lock (_lock)
        {
            last = _last;
            others = BeginNeedsLock() - 1;
        }

        if (last is not null)
        {
            Tell(last, others);
        }
    }

    // Returns how many have not been told.
    private int BeginNeedsLock()
    {
        var untold = _untold;
        (_toldAt, _last, _untold) = (clock.GetTimestamp(), null, 0);
        return untold;
    }

    // Outside the lock: a logger is the application's code.
    private void Tell(Unfiled report, int others) => Log.ReportLost(
        logger, Printable.Line(report.Topic), Printable.Line(report.Sender), report.Status, report.Reason,
        others == 0 ? "" : $"; so are {others} more since the last such line", report.Failure);

    private sealed record Unfiled(string Topic, string Sender, int Status, string Reason, Exception? Failure);
}
