using System.Collections.Concurrent;

namespace ServiceMesh.Links;

/// <summary>
/// Counts each loss, and tells of them without a flood: the first ones of each reason in a second are reported one by one,
/// the rest as one with their number. Thread-safe.
/// </summary>
internal sealed class LossLog(TransportContext context)
{
    private const int OneByOne = 5;

    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Window> _windows = new();

    /// <summary>A loss with a status of its own.</summary>
    public void Report(
        string reason, string topic, string detail, StatusCode status = StatusCode.BadRequest, string sender = "unknown") =>
        Report(new(reason, sender, topic, detail), status);

    /// <summary>A loss that would be answered with 400.</summary>
    public void Report(LinkLoss loss) => Report(loss, StatusCode.BadRequest);

    /// <summary>To be called about once a second: tells of floods that have ended.</summary>
    public void Tick() => EndWindows(olderThan: s_window);

    /// <summary>Tells of every flood, because the node stops.</summary>
    public void Flush() => EndWindows(olderThan: TimeSpan.Zero);

    private void Report(LinkLoss loss, StatusCode status)
    {
        context.CountLoss(loss.Reason, Printable.Line(loss.Topic));
        var window = _windows.GetOrAdd(loss.Reason, static _ => new());
        Flood? ended = null;
        bool isOneOfMany;
        lock (window)
        {
            var now = context.Clock.GetTimestamp();
            if (window.Count == 0 || context.Clock.GetElapsedTime(window.Since, now) >= s_window)
            {
                ended = window.EndNeedsLock();
                window.Since = now;
            }

            isOneOfMany = ++window.Count > OneByOne;
            if (isOneOfMany)
            {
                window.Last = (loss, status);
            }
        }

        Tell(ended);
        if (!isOneOfMany)
        {
            Tell(loss, Printable.Line(loss.Detail), status);
        }
    }

    private void EndWindows(TimeSpan olderThan)
    {
        foreach (var (_, window) in _windows)
        {
            Flood? ended = null;
            lock (window)
            {
                if (context.Clock.GetElapsedTime(window.Since) >= olderThan)
                {
                    ended = window.EndNeedsLock();
                }
            }

            Tell(ended);
        }
    }

    // Outside the lock: a logger is the application's code.
    private void Tell(Flood? flood)
    {
        if (flood is { } told)
        {
            Tell(told.Last, $"{Printable.Line(told.Last.Detail)} There were {told.More} more within a second.", told.Status);
        }
    }

    private void Tell(LinkLoss loss, string detail, StatusCode status) => context.TellLoss(
        loss.Reason, Printable.Line(loss.Topic), detail, status,
        loss.Sender.Length < 256 && Topic.IsSegment(loss.Sender) ? loss.Sender : "unknown");

    /// <summary>The losses of one reason within a second; guarded by itself.</summary>
    private sealed class Window
    {
        public long Since { get; set; }

        public int Count { get; set; }

        public (LinkLoss Loss, StatusCode Status) Last { get; set; }

        /// <summary>Begins again. Returns what has not been told one by one; null when all has.</summary>
        public Flood? EndNeedsLock()
        {
            Flood? flood = Count > OneByOne ? new(Last.Loss, Last.Status, Count - OneByOne) : null;
            Count = 0;
            return flood;
        }
    }

    private readonly record struct Flood(LinkLoss Last, StatusCode Status, int More);
}
