using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// The embedded error queue: a file with one JSON report a line, oldest first. A removed report leaves a line that says so; when those
/// are many the file is rewritten. Reports that nodes of the same path left behind are taken over when the queue is opened.
/// </summary>
/// <remarks>
/// One node owns a file (<see cref="ReportFile"/>), so that who has taken a report is known in memory: when the process ends, all that it
/// had taken is there again. Memory holds the place of each report and not the report.
/// </remarks>
internal sealed class FileErrorQueue(string path, Func<string, string> keyOf, int capacity, ILogger logger, TimeProvider clock)
    : IErrorStore, IDisposable
{
    private const int LeastDeadBytes = 1 << 20;

    private static readonly byte[] s_removed = [.. "{\"Removed\":"u8];

    private readonly Lock _lock = new();
    private readonly LinkedList<Entry> _entries = [];
    private readonly Dictionary<string, LinkedListNode<Entry>> _byId = [];
    private ReportFile? _file;
    private int _linesInFile;
    private long _liveBytes;
    private long _deadBytes;
    private bool _disposed;

    public int Capacity => capacity;

    public ValueTask<int> CountAsync(CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            OpenNeedsLock();
            return new(_entries.Count);
        }
    }

    public ValueTask<int> AddAsync(ErrorReport report, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(report);
        var named = report.Id.Length > 0 ? report : report with { Id = $"report-{Guid.NewGuid():N}" };
        var line = JsonSerializer.SerializeToUtf8Bytes(named, ErrorReportJson.Default.ErrorReport);
        lock (_lock)
        {
            var file = OpenNeedsLock();
            return new(_byId.ContainsKey(named.Id) ? 0 : AppendNeedsLock(file, named.Id, line));
        }
    }

    public ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        lock (_lock)
        {
            var file = OpenNeedsLock();
            return new(ReadNeedsLock(file, [.. _entries.Take(max)]));
        }
    }

    public ValueTask<IReadOnlyList<TakenReport>> TakeAsync(int max, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        Lease.Check(lease);
        lock (_lock)
        {
            var file = OpenNeedsLock();
            var now = clock.GetTimestamp();
            return new(TakeNeedsLock(file, [.. _entries.Where(e => !IsTaken(e, now)).Take(max)], now, lease));
        }
    }

    public ValueTask<TakenReport?> TakeAsync(string id, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        Lease.Check(lease);
        lock (_lock)
        {
            var file = OpenNeedsLock();
            var now = clock.GetTimestamp();
            return new(_byId.TryGetValue(id, out var node) && !IsTaken(node.Value, now)
                ? TakeNeedsLock(file, [node.Value], now, lease)[0]
                : null);
        }
    }

    public ValueTask<bool> AcknowledgeAsync(TakenReport report, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(report);
        lock (_lock)
        {
            var file = OpenNeedsLock();
            if (HeldNeedsLock(report) is not { } node)
            {
                return new(false);
            }

            // The file first: when that fails the report is still taken, and nothing is removed.
            file.Append([.. s_removed, .. JsonSerializer.SerializeToUtf8Bytes(node.Value.Id, ErrorReportJson.Default.String), (byte)'}']);
            _linesInFile++;
            RemoveNeedsLock(node);
            TidyNeedsLock(file);
            return new(true);
        }
    }

    public ValueTask<bool> ReleaseAsync(TakenReport report, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(report);
        lock (_lock)
        {
            OpenNeedsLock();
            if (HeldNeedsLock(report) is not { } node)
            {
                return new(false);
            }

            node.Value.Receipt = null;
            return new(true);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _file?.Dispose();
            _file = null;
        }
    }

    private ReportFile OpenNeedsLock()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_file is not null)
        {
            return _file;
        }

        ReportFile? file = null;
        try
        {
            file = ReportFile.Claim(path);
            LoadNeedsLock(file);
            AdoptNeedsLock(file);
            return _file = file;
        }
        catch (Exception failure)
        {
            // Not open: what could not be read must not be taken for empty and overwritten.
            file?.Dispose();
            _entries.Clear();
            _byId.Clear();
            (_linesInFile, _liveBytes, _deadBytes) = (0, 0, 0);
            if (failure is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
            {
                throw new IOException(
                    $"The error queue '{path}' cannot be used: {failure.Message} " +
                    $"Name a file in a folder that this process may write with {keyOf("Errors:QueueFile")}, " +
                    $"or choose another {keyOf("ErrorPolicy")}.", failure);
            }

            throw;
        }
    }

    private void LoadNeedsLock(ReportFile file)
    {
        var damaged = 0;
        foreach (var (place, line) in file.ReadAll())
        {
            if (line.Length == 0)
            {
                continue;
            }

            if (line.AsSpan().StartsWith(s_removed))
            {
                if (RemovedId(line) is { } removed && _byId.TryGetValue(removed, out var node))
                {
                    RemoveNeedsLock(node);
                }
            }
            else if (IdOf(line) is not { } id)
            {
                // A crash in the middle of an append leaves half a line.
                damaged++;
            }
            else if (!_byId.ContainsKey(id))
            {
                EnterNeedsLock(id, place);
                if (_entries.Count > capacity)
                {
                    // Dropped before the restart, when it was counted and logged; only the file still had it.
                    RemoveNeedsLock(_entries.First!);
                }
            }
        }

        if (damaged > 0)
        {
            Log.ErrorQueueDamaged(logger, damaged, file.Path);
        }

        // Also where nothing changes: the file gets its mode, and a folder that cannot be written is noticed.
        RewriteNeedsLock(file);
    }

    // A node that is gone does not read its file again: two replicas became one, or a number was free at their last start.
    private void AdoptNeedsLock(ReportFile file)
    {
        foreach (var abandoned in ReportFile.ClaimAbandoned(path))
        {
            using (abandoned)
            {
                var lines = new Dictionary<string, byte[]>();
                foreach (var (_, line) in abandoned.ReadAll())
                {
                    if (line.AsSpan().StartsWith(s_removed))
                    {
                        lines.Remove(RemovedId(line) ?? "");
                    }
                    else if (IdOf(line) is { } id)
                    {
                        lines[id] = line;
                    }
                }

                var dropped = lines.Where(l => !_byId.ContainsKey(l.Key)).Sum(l => AppendNeedsLock(file, l.Key, l.Value));
                if (dropped > 0)
                {
                    Log.ErrorQueueFull(logger, capacity, dropped);
                }

                abandoned.Delete();
            }
        }
    }

    private int AppendNeedsLock(ReportFile file, string id, byte[] line)
    {
        EnterNeedsLock(id, file.Append(line));
        var lost = 0;
        for (; _entries.Count > capacity; lost++)
        {
            RemoveNeedsLock(_entries.First!);
        }

        TidyNeedsLock(file);
        return lost;
    }

    private void EnterNeedsLock(string id, ReportFile.Place place)
    {
        _byId[id] = _entries.AddLast(new Entry(id) { Place = place });
        _liveBytes += place.Length;
        _linesInFile++;
    }

    private void RemoveNeedsLock(LinkedListNode<Entry> node)
    {
        _entries.Remove(node);
        _byId.Remove(node.Value.Id);
        _liveBytes -= node.Value.Place.Length;
        _deadBytes += node.Value.Place.Length;
    }

    // The file may hold as many dead lines as live ones, and as many bytes, before it is worth rewriting.
    private void TidyNeedsLock(ReportFile file)
    {
        if (_linesInFile > 2 * capacity || _deadBytes > Math.Max(_liveBytes, LeastDeadBytes))
        {
            RewriteNeedsLock(file);
        }
    }

    private void RewriteNeedsLock(ReportFile file)
    {
        var moved = file.Rewrite([.. _entries.Select(e => e.Place)]);
        foreach (var (entry, place) in _entries.Zip(moved))
        {
            entry.Place = place;
        }

        (_linesInFile, _deadBytes) = (_entries.Count, 0);
    }

    private static TakenReport[] TakeNeedsLock(ReportFile file, Entry[] entries, long now, TimeSpan lease)
    {
        var reports = ReadNeedsLock(file, entries);
        foreach (var entry in entries)
        {
            entry.Receipt = new(now, lease);
        }

        return [.. entries.Zip(reports, (entry, report) => new TakenReport(report, entry.Receipt!))];
    }

    private static List<ErrorReport> ReadNeedsLock(ReportFile file, Entry[] entries) => entries.Length == 0
        ? []
        : [.. file.Read(entries.Select(e => e.Place)).Zip(entries, (line, entry) => Parse(line)! with { Id = entry.Id })];

    private LinkedListNode<Entry>? HeldNeedsLock(TakenReport report) =>
        report.Receipt is Lease receipt && _byId.TryGetValue(report.Report.Id, out var node) && node.Value.Receipt == receipt
        && IsTaken(node.Value, clock.GetTimestamp())
            ? node
            : null;

    private bool IsTaken(Entry entry, long now) =>
        entry.Receipt is { } lease && clock.GetElapsedTime(lease.TakenAt, now) < lease.Time;

    private static string? IdOf(byte[] line) => Parse(line) is not { } report ? null
        : report.Id.Length > 0 ? report.Id
        : $"line-{Convert.ToHexStringLower(SHA256.HashData(line)[..8])}";

    private static string? RemovedId(byte[] line)
    {
        try
        {
            var id = line.AsSpan()[s_removed.Length..];
            return id.IsEmpty ? null : JsonSerializer.Deserialize(id[..^1], ErrorReportJson.Default.String);
        }
        catch (JsonException)
        {
            return null; // half a line: the report is still there
        }
    }

    private static ErrorReport? Parse(byte[] line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, ErrorReportJson.Default.ErrorReport);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private sealed class Entry(string id)
    {
        public string Id => id;

        public ReportFile.Place Place { get; set; }

        /// <summary>Of the last one who took it; null when it was never taken, or released.</summary>
        public Lease? Receipt { get; set; }
    }
}
