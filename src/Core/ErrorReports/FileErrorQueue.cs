using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// The embedded error queue: a file with one JSON report a line, oldest first. New reports are appended; dropping and
/// draining rewrite the file beside itself and move it into place, so a crash leaves the old one or the new one.
/// </summary>
/// <remarks>
/// One bus of one process owns a file, held by a lock file next to it. All lines are kept in memory too, so reading costs
/// no disk: a report is a few kilobytes, and bounded by its parts (data, error, exception), which JSON may escape.
/// </remarks>
internal sealed class FileErrorQueue(string path, int capacity, ILogger logger) : IErrorQueue, IDisposable
{
    private readonly Lock _lock = new();
    private readonly Queue<byte[]> _lines = new();
    private FileStream? _owner;
    private int _linesInFile;
    private bool _isTorn;
    private bool _disposed;

    public int Capacity => capacity;

    public ValueTask<int> CountAsync(CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            OpenNeedsLock();
            return new(_lines.Count);
        }
    }

    public ValueTask<int> AddAsync(ErrorReport report, CancellationToken cancellationToken = default)
    {
        var line = JsonSerializer.SerializeToUtf8Bytes(report, ErrorReportJson.Default.ErrorReport);
        lock (_lock)
        {
            OpenNeedsLock();
            using (var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read))
            {
                // A failed append may have left half a line: begin on one of our own.
                file.Write(_isTorn ? [(byte)'\n', .. line, (byte)'\n'] : [.. line, (byte)'\n']);
                _isTorn = true;
                file.Flush();
                _isTorn = false;
            }

            _lines.Enqueue(line);
            _linesInFile++;
            var lost = 0;
            for (; _lines.Count > capacity; lost++)
            {
                _lines.Dequeue();
            }

            // The file may hold as many dropped lines as live ones before it is worth rewriting.
            if (_linesInFile > 2 * capacity)
            {
                RewriteNeedsLock();
            }

            return new(lost);
        }
    }

    public ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        lock (_lock)
        {
            OpenNeedsLock();
            return new([.. _lines.Take(max).Select(Parse)]);
        }
    }

    public ValueTask<IReadOnlyList<ErrorReport>> DrainAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        lock (_lock)
        {
            OpenNeedsLock();
            ErrorReport[] drained = [.. _lines.Take(max).Select(Parse)];
            if (drained.Length > 0)
            {
                // The file first: when that fails nothing has been taken out, and nothing is handed out.
                RewriteNeedsLock(skip: drained.Length);
                for (var i = 0; i < drained.Length; i++)
                {
                    _lines.Dequeue();
                }
            }

            return new(drained);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _owner?.Dispose();
            _owner = null;
        }
    }

    private void OpenNeedsLock()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_owner is not null)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        try
        {
            _owner = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure)
        {
            throw new IOException(
                $"The error queue '{path}' is in use by another process or another bus. " +
                "Give each its own file with the key Errors:QueueFile of its bus.", failure);
        }

        try
        {
            LoadNeedsLock();
        }
        catch
        {
            // Not open: what could not be read must not be taken for empty and overwritten.
            _owner.Dispose();
            _owner = null;
            _lines.Clear();
            throw;
        }
    }

    private void LoadNeedsLock()
    {
        if (!File.Exists(path))
        {
            return;
        }

        var damaged = 0;
        var bytes = File.ReadAllBytes(path);
        foreach (var range in bytes.AsSpan().Split((byte)'\n'))
        {
            var line = bytes.AsSpan(range);
            if (line.IsEmpty)
            {
                continue;
            }

            // A crash in the middle of an append leaves half a line.
            if (!IsReport(line))
            {
                damaged++;
                continue;
            }

            _lines.Enqueue(line.ToArray());
            if (_lines.Count > capacity)
            {
                // Dropped before the restart, when it was counted and logged; only the file still had it.
                _lines.Dequeue();
            }
        }

        if (damaged > 0)
        {
            Log.ErrorQueueDamaged(logger, damaged, path);
        }

        RewriteNeedsLock();
    }

    private void RewriteNeedsLock(int skip = 0)
    {
        var next = path + ".next";
        using (var file = new FileStream(next, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            foreach (var line in _lines.Skip(skip))
            {
                file.Write(line);
                file.WriteByte((byte)'\n');
            }

            file.Flush(flushToDisk: true);
        }

        File.Move(next, path, overwrite: true);
        _linesInFile = _lines.Count - skip;
    }

    private static bool IsReport(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, ErrorReportJson.Default.ErrorReport) is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static ErrorReport Parse(byte[] line) => JsonSerializer.Deserialize(line, ErrorReportJson.Default.ErrorReport)!;
}
