using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The error reports of all nodes in one bounded list in Redis. New ones are pushed on the left; the oldest is at the right,
/// where reading and draining begin.
/// </summary>
/// <remarks>
/// What must be exact is one MULTI/EXEC of two commands, so no other client comes between them: a push and the cut that keeps the
/// list within its bound (the length after the push says how many the cut drops, also when many push at once), and the reading
/// of the tail and its removal (so two who drain never share a report). Only an entry that a foreign program's own cut
/// drops is not counted here.
/// </remarks>
internal sealed class RedisErrorQueue(IReportFormat format, int capacity) : IErrorQueue
{
    // How much one command fetches: a report is a few kilobytes.
    private const int Chunk = 256;

    // An answer that takes longer is given up: the client itself waits as long as the connection lives.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private volatile Opened? _opened;

    public int Capacity { get; } = Math.Min(capacity, format.MaxEntries);

    /// <summary>From here on it can be used; before, and without Redis, every member throws <see cref="TransportException"/>.</summary>
    public void Open(RedisConnection connection, TransportContext context) => _opened = new(connection, context);

    public async ValueTask<int> CountAsync(CancellationToken cancellationToken = default) =>
        (int)Math.Min(int.MaxValue, await AskAsync("counted", database => database.ListLengthAsync(format.Key, CommandFlags.None),
            cancellationToken)
            .ConfigureAwait(false));

    public async ValueTask<int> AddAsync(ErrorReport report, CancellationToken cancellationToken = default)
    {
        var length = await AskAsync("added to", database => PushAsync(database, format.Write(report)), cancellationToken)
            .ConfigureAwait(false);
        return (int)Math.Max(0, length - Capacity);
    }

    /// <summary>Entries that are no reports are passed over. What others drain meanwhile may be missing.</summary>
    public async ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        var read = new List<ErrorReport>();
        for (var passed = 0L; read.Count < max;)
        {
            var from = passed;
            var wanted = Math.Min(max - read.Count, Chunk);
            var tail = await AskAsync("read", database => database.ListRangeAsync(format.Key, -(from + wanted), -(from + 1),
                CommandFlags.None), cancellationToken)
                .ConfigureAwait(false);
            Take(tail, read);
            passed += tail.Length;
            if (tail.Length < wanted)
            {
                break;
            }
        }

        return read;
    }

    /// <summary>Entries that are no reports are taken out too, counted and reported as lost.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever ends the draining: what was taken out by then must not be lost.")]
    public async ValueTask<IReadOnlyList<ErrorReport>> DrainAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        var drained = new List<ErrorReport>();
        try
        {
            while (drained.Count < max)
            {
                // The token counts between the steps only: what a step has taken out is gone from Redis.
                cancellationToken.ThrowIfCancellationRequested();
                var wanted = Math.Min(max - drained.Count, Chunk);
                var tail = await AskAsync("drained", database => CutTailAsync(database, wanted), CancellationToken.None)
                    .ConfigureAwait(false);
                ReportUnreadable(Take(tail, drained));
                if (tail.Length < wanted)
                {
                    break;
                }
            }
        }
        catch (Exception) when (drained.Count > 0)
        {
            // The next call says what is wrong.
        }

        return drained;
    }

    // Oldest first: the list has them from new to old. Returns how many entries were no reports.
    private int Take(RedisValue[] entries, List<ErrorReport> reports)
    {
        var now = _opened!.Context.Clock.GetUtcNow();
        var unreadable = 0;
        for (var i = entries.Length - 1; i >= 0; i--)
        {
            if (format.TryRead((byte[])entries[i]!, now, out var report))
            {
                reports.Add(report);
            }
            else
            {
                unreadable++;
            }
        }

        return unreadable;
    }

    private void ReportUnreadable(int entries)
    {
        if (entries > 0)
        {
            _opened!.Context.ReportLoss("unreadable-report", format.Key,
                $"{entries} entries of the error queue were no reports and are taken out.");
        }
    }

    private async Task<long> PushAsync(IDatabase database, byte[] entry)
    {
        var transaction = database.CreateTransaction(null);
        var length = transaction.ListLeftPushAsync(format.Key, entry, When.Always, CommandFlags.None);
        var trimmed = transaction.ListTrimAsync(format.Key, 0, Capacity - 1, CommandFlags.None);
        // First whether it went out: the client leaves the commands of a transaction that did not without an end.
        await transaction.ExecuteAsync(CommandFlags.None).ConfigureAwait(false);
        await Task.WhenAll(length, trimmed).ConfigureAwait(false);
        return await length.ConfigureAwait(false);
    }

    private async Task<RedisValue[]> CutTailAsync(IDatabase database, int entries)
    {
        var transaction = database.CreateTransaction(null);
        var tail = transaction.ListRangeAsync(format.Key, -entries, -1, CommandFlags.None);
        var trimmed = transaction.ListTrimAsync(format.Key, 0, -(entries + 1), CommandFlags.None);
        await transaction.ExecuteAsync(CommandFlags.None).ConfigureAwait(false);
        await Task.WhenAll(tail, trimmed).ConfigureAwait(false);
        return await tail.ConfigureAwait(false);
    }

    private async Task<T> AskAsync<T>(string what, Func<IDatabase, Task<T>> command, CancellationToken cancellationToken)
    {
        var opened = _opened ?? throw new TransportException(
            $"The error queue '{format.Key}' is in Redis, and the bus has not connected yet. Start it first.");
        try
        {
            return await Pool.ReturnAsync(command(opened.Connection.Database).WaitAsync(s_patience, opened.Context.Clock,
                cancellationToken))
                .ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            throw new TransportException($"The error queue '{format.Key}' could not be {what}: {failure.Message}", failure);
        }
    }

    private sealed record Opened(RedisConnection Connection, TransportContext Context);
}
