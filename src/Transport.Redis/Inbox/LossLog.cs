using System.Collections.Concurrent;
using ServiceMesh.Links;

namespace ServiceMesh.Redis;

/// <summary>
/// Counts each loss, and tells of them without a flood: the first ones of each reason in a second are reported one by one,
/// the rest as one with their number. Thread-safe.
/// </summary>
internal sealed class LossLog(TransportContext context)
{
    private const int OneByOne = 5;

    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Window> _windows = new();

    public void Report(LinkLoss loss)
    {
        context.CountLoss(loss.Reason, Printable.Line(loss.Topic));
        var window = _windows.GetOrAdd(loss.Reason, static _ => new());
        lock (window)
        {
            var now = context.Clock.GetTimestamp();
            if (window.Count == 0 || context.Clock.GetElapsedTime(window.Since, now) >= s_window)
            {
                FlushNeedsLock(loss.Reason, window);
                (window.Since, window.Count) = (now, 0);
            }

            window.Count++;
            if (window.Count > OneByOne)
            {
                window.Last = loss;
                return;
            }
        }

        Tell(loss, Printable.Line(loss.Detail));
    }

    /// <summary>To be called a few times a second: tells of floods that have ended.</summary>
    public void Tick()
    {
        foreach (var (reason, window) in _windows)
        {
            lock (window)
            {
                if (context.Clock.GetElapsedTime(window.Since) >= s_window)
                {
                    FlushNeedsLock(reason, window);
                    window.Count = 0;
                }
            }
        }
    }

    private void FlushNeedsLock(string reason, Window window)
    {
        if (window.Count > OneByOne)
        {
            Tell(window.Last with { Reason = reason },
                $"{Printable.Line(window.Last.Detail)} There were {window.Count - OneByOne} more within a second.");
        }
    }

    private void Tell(LinkLoss loss, string detail) => context.TellLoss(
        loss.Reason, Printable.Line(loss.Topic), detail, StatusCode.BadRequest, DirectoryJson.IsNodeId(loss.Sender)
            ? loss.Sender : "unknown");

    private sealed class Window
    {
        public long Since { get; set; }

        public int Count { get; set; }

        public LinkLoss Last { get; set; }
    }
}
