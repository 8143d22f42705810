using System.Collections.Concurrent;
using System.Diagnostics;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// The outcome of each request, as its caller and as the handlers see it, and the promises of a mesh that
/// were broken. It is independent of the transport. Thread-safe.
/// </summary>
internal sealed class Ledger
{
    /// <summary>How much later than its deadline a request may end or begin to run, on a machine that keeps its times.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<int, Entry> _entries = new();
    private int _lastNumber;
    private int _ends;

    /// <summary>The number of requests that were begun.</summary>
    public int Begun => _entries.Count;

    /// <summary>The number of requests that ended with each status.</summary>
    public string Summary => string.Join(", ", _entries.Values.GroupBy(entry => entry.Status).OrderBy(group => group.Key)
        .Select(group => $"{(group.Key is { } status ? (int)status : "open")}: {group.Count()} "
            + $"within {group.Max(e => e.Took).TotalSeconds:0.00} s"));

    /// <summary>The failed requests, with the messages that their callers got.</summary>
    public IEnumerable<string> Failures => _entries.Where(e => e.Value.Error is not null).OrderBy(e => e.Key)
        .Select(e => $"{e.Key}: {e.Value.Status} {e.Value.Error}");

    /// <summary>A caller begins a request. Returns its number, the body of the request.</summary>
    public int Begin(bool isRepeatable, TimeSpan timeout)
    {
        var number = Interlocked.Increment(ref _lastNumber);
        _entries[number] = new(isRepeatable, timeout, LostTime.Total);
        return number;
    }

    /// <summary>The call returned to its caller.</summary>
    public void Returned(int number, Reply<int> reply)
    {
        var entry = _entries[number];
        entry.Took = Stopwatch.GetElapsedTime(entry.Began);
        entry.MayTake = LostTime.WidenSince(entry.Timeout + Late, entry.LostBefore);
        entry.IsOwnAnswer = !reply.IsSuccess || reply.Value == number;
        entry.NotProcessed = reply.Failure is { NotProcessed: true };
        entry.Error = reply.Failure?.Message;
        entry.Status = reply.Status;
        Interlocked.Increment(ref entry.Returns);
    }

    /// <summary>The bus has counted the end of a request.</summary>
    public void Settled() => Interlocked.Increment(ref _ends);

    /// <summary>A handler of a member began to run a request.</summary>
    public void Ran(int number, string member)
    {
        var entry = _entries[number];
        entry.Runs.Enqueue((member, Stopwatch.GetElapsedTime(entry.Began), LostTime.WidenSince(entry.Timeout + Late, entry.LostBefore)));
    }

    /// <summary>
    /// The promises that were broken, a sentence for each. Read it when the callers have stopped and the members have
    /// drained, so that nothing runs later.
    /// </summary>
    public IReadOnlyList<string> Violations()
    {
        var all = new List<string>();
        foreach (var (number, entry) in _entries.OrderBy(e => e.Key))
        {
            var runs = string.Join(", ", entry.Runs.Select(r => $"{r.Member} at {r.At.TotalSeconds:0.00} s"));
            var who = $"{(entry.IsRepeatable ? "Repeatable" : "Plain")} request {number} ({entry.Status}, "
                + $"{entry.Took.TotalSeconds:0.00} s of {entry.Timeout.TotalSeconds:0.00} s, ran: {runs})";
            Check(entry.Returns == 1, $"ended {entry.Returns} times");
            Check(entry.Took <= entry.MayTake, "ended later than its deadline and a second");
            Check(entry.IsOwnAnswer, "got the answer of another");
            Check(entry.IsRepeatable || entry.Runs.Count <= 1, "ran twice");
            Check(!entry.NotProcessed || entry.Runs.IsEmpty, $"was reported as not processed: {entry.Error}");
            Check(entry.Status is not StatusCode.Ok || !entry.Runs.IsEmpty, "has an answer and did not run");
            Check(entry.Runs.All(run => run.At <= run.MayBeAt), "ran later than its deadline and a second");

            void Check(bool holds, string what)
            {
                if (!holds)
                {
                    all.Add($"{who} {what}.");
                }
            }
        }

        if (_ends != _entries.Count)
        {
            all.Add($"{_entries.Count} requests were begun, and the bus settled {_ends}.");
        }

        return all;
    }

    private sealed class Entry(bool isRepeatable, TimeSpan timeout, TimeSpan lostBefore)
    {
        public int Returns;

        public long Began { get; } = Stopwatch.GetTimestamp();

        public bool IsRepeatable => isRepeatable;

        public TimeSpan Timeout => timeout;

        public TimeSpan LostBefore => lostBefore;

        public TimeSpan Took { get; set; }

        public TimeSpan MayTake { get; set; }

        public bool IsOwnAnswer { get; set; } = true;

        public bool NotProcessed { get; set; }

        public string? Error { get; set; }

        public StatusCode? Status { get; set; }

        public ConcurrentQueue<(string Member, TimeSpan At, TimeSpan MayBeAt)> Runs { get; } = new();
    }
}
