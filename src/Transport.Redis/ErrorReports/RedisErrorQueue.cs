using System.Security.Cryptography;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The error reports of all nodes in one bounded list in Redis. New ones are pushed on the left; the oldest is at the right,
/// where reading and taking begin.
/// </summary>
/// <remarks>
/// A report that is taken stays in the list, where other programs still find it, and has a key of its own that ends by itself: the
/// lease. Only the holder of the lease removes the entry, in one MULTI/EXEC that the lease guards. A push and the cut that keeps the
/// list within its bound are one MULTI/EXEC too: the length after the push says how many the cut drops, also when many push at once.
/// Only an entry that a foreign program's own cut drops is not counted here.
/// </remarks>
internal sealed class RedisErrorQueue(IReportFormat format, int capacity) : IErrorStore
{
    // How much one command fetches: a report is a few kilobytes, or has a whole body.
    private const int Chunk = 64;

    // How many of the oldest entries are looked at for one that is not taken: at first few, then twice as many, up to all.
    private const int LeastWindow = 4;
    private const int MaxWindow = 1 << 20;

    // An answer that takes longer is given up: the client itself waits as long as the connection lives.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private volatile Opened? _opened;
    private bool _saidThatSealedStay;
    private bool _saidThatPlainStay;

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

    /// <summary>
    /// Entries that are no reports are passed over, and those that this node cannot open are reported once. What others remove
    /// meanwhile may be missing.
    /// </summary>
    public async ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        var read = new List<ErrorReport>();
        for (var passed = 0L; read.Count < max;)
        {
            var tail = await ReadTailAsync("read", passed, Math.Min(max - read.Count, Chunk), cancellationToken).ConfigureAwait(false);
            read.AddRange(tail.Entries.Select(e => e.Report).OfType<ErrorReport>());
            tail.Entries.ForEach(entry => _ = StaysUnread(entry));
            passed += tail.Entries.Count;
            if (tail.IsLast)
            {
                break;
            }
        }

        return read;
    }

    /// <summary>
    /// Entries that are no reports are removed, counted and reported as lost. Those that are sealed with another key stay, and where
    /// this node has keys those that are not sealed.
    /// </summary>
    public async ValueTask<IReadOnlyList<TakenReport>> TakeAsync(int max, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        Lease.Check(lease);
        var (taken, tried) = (new List<TakenReport>(), new HashSet<string>());
        for (var window = Math.Clamp(max, LeastWindow, Chunk); taken.Count < max; window = Math.Min(2 * window, MaxWindow))
        {
            // From the oldest on each time: what others remove meanwhile moves the rest.
            var tail = await ReadTailAsync("taken from", 0, window, cancellationToken).ConfigureAwait(false);
            await DropUnreadableAsync(tail.Entries, cancellationToken).ConfigureAwait(false);
            Entry[] candidates = [.. tail.Entries.Where(e => e.Report is not null && tried.Add(e.Hash))];
            for (var next = 0; next < candidates.Length && taken.Count < max;)
            {
                Entry[] some = [.. candidates.Skip(next).Take(max - taken.Count)];
                next += some.Length;
                var mine = await Task.WhenAll(some.Select(entry => TryTakeAsync(entry, lease, cancellationToken))).ConfigureAwait(false);
                taken.AddRange(mine.OfType<TakenReport>());
            }

            if (tail.IsLast || (window == MaxWindow && candidates.Length == 0))
            {
                break;
            }
        }

        return taken;
    }

    public async ValueTask<TakenReport?> TakeAsync(string id, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        Lease.Check(lease);
        for (var window = Chunk; ; window = Math.Min(2 * window, MaxWindow))
        {
            var tail = await ReadTailAsync("taken from", 0, window, cancellationToken).ConfigureAwait(false);
            if (tail.Entries.Find(e => e.Report?.Id == id) is { } entry)
            {
                return await TryTakeAsync(entry, lease, cancellationToken).ConfigureAwait(false);
            }

            if (tail.IsLast || window == MaxWindow)
            {
                return null;
            }
        }
    }

    public async ValueTask<bool> AcknowledgeAsync(TakenReport report, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(report);
        return report.Receipt is Receipt receipt
            && await AskAsync("taken from", database => RemoveAsync(database, receipt), cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<bool> ReleaseAsync(TakenReport report, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(report);
        return report.Receipt is Receipt receipt
            && await AskAsync(
                "released to",
                database => database.LockReleaseAsync(receipt.LeaseKey, receipt.Token, CommandFlags.None), cancellationToken)
                .ConfigureAwait(false);
    }

    // The entries from the oldest on; the list has them from new to old.
    private async Task<(List<Entry> Entries, bool IsLast)> ReadTailAsync(
        string what, long passed, int wanted, CancellationToken cancellationToken)
    {
        var tail = await AskAsync(
            what, database => database.ListRangeAsync(format.Key, -(passed + wanted), -(passed + 1), CommandFlags.None), cancellationToken)
            .ConfigureAwait(false);
        var now = _opened!.Context.Clock.GetUtcNow();
        var entries = new List<Entry>(tail.Length);
        for (var i = tail.Length - 1; i >= 0; i--)
        {
            var bytes = (byte[])tail[i]!;
            var report = format.TryRead(bytes, now, out var read) ? read : null;
            var hash = Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 16));
            entries.Add(new(bytes, hash, report is { Id: "" } ? report with { Id = $"entry-{hash}" } : report));
        }

        return (entries, tail.Length < wanted);
    }

    private async Task<int> DropUnreadableAsync(List<Entry> entries, CancellationToken cancellationToken)
    {
        var dropped = 0;
        foreach (var entry in entries.Where(e => e.Report is null && !StaysUnread(e)))
        {
            dropped += (int)await AskAsync(
                "taken from", database => database.ListRemoveAsync(format.Key, entry.Bytes, -1, CommandFlags.None), cancellationToken)
                .ConfigureAwait(false);
        }

        if (dropped > 0)
        {
            _opened!.Context.ReportLoss(
                "unreadable-report", format.Key, $"{dropped} entries of the error queue were no reports and are taken out.");
        }

        return dropped;
    }

    // True for an entry that this node cannot read and must leave. Said once for each kind: they are found again with each look.
    private bool StaysUnread(Entry entry)
    {
        if (entry.Report is not null || !format.MustStay(entry.Bytes))
        {
            return false;
        }

        var keys = _opened!.Context.KeyOf("Redis:Keys");
        if (SealFormat.IsSealed(entry.Bytes))
        {
            if (!Interlocked.Exchange(ref _saidThatSealedStay, true))
            {
                _opened.Context.ReportLoss("unknown-key", format.Key,
                    "Entries of the error queue are sealed with a key that this node does not have. They stay there. "
                    + $"Give this node that key as the second of {keys} until they are worked through.");
            }
        }
        else if (!Interlocked.Exchange(ref _saidThatPlainStay, true))
        {
            _opened.Context.ReportLoss("not-sealed", format.Key,
                "Entries of the error queue are not sealed: the mesh had no keys when they were written, or they are forged. "
                + $"They stay there. Stop the nodes with keys and work through the queue on one without {keys}, or delete the entries.");
        }

        return true;
    }

    private async Task<TakenReport?> TryTakeAsync(Entry entry, TimeSpan lease, CancellationToken cancellationToken)
    {
        var receipt = new Receipt(entry.Bytes, LeaseKey(entry.Hash), Guid.NewGuid().ToString("N"));
        return await AskAsync("taken from", database => TryTakeAsync(database, receipt, lease), cancellationToken).ConfigureAwait(false)
            ? new(entry.Report!, receipt)
            : null;
    }

    // It may have been removed since it was read, and its lease with it: only the holder of a new lease can be sure that it is there.
    private async Task<bool> TryTakeAsync(IDatabase database, Receipt receipt, TimeSpan lease)
    {
        if (!await database.LockTakeAsync(receipt.LeaseKey, receipt.Token, lease, CommandFlags.None).ConfigureAwait(false))
        {
            return false;
        }

        if (await database.ListPositionAsync(format.Key, receipt.Entry, -1, 0, CommandFlags.None).ConfigureAwait(false) >= 0)
        {
            return true;
        }

        await database.LockReleaseAsync(receipt.LeaseKey, receipt.Token, CommandFlags.None).ConfigureAwait(false);
        return false;
    }

    private async Task<bool> RemoveAsync(IDatabase database, Receipt receipt)
    {
        var transaction = database.CreateTransaction(null);
        transaction.AddCondition(Condition.StringEqual(receipt.LeaseKey, receipt.Token));
        var removed = transaction.ListRemoveAsync(format.Key, receipt.Entry, -1, CommandFlags.None);
        var ended = transaction.KeyDeleteAsync(receipt.LeaseKey, CommandFlags.None);
        if (!await transaction.ExecuteAsync(CommandFlags.None).ConfigureAwait(false))
        {
            return false;
        }

        await Task.WhenAll(removed, ended).ConfigureAwait(false);
        return await removed.ConfigureAwait(false) > 0;
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

    // On a cluster a lease lies where its list does: the hash slot of a key is that of the part in braces.
    private RedisKey LeaseKey(string hash) => $"{{{format.Key}}}:lease:{hash}";

    private async Task<T> AskAsync<T>(string what, Func<IDatabase, Task<T>> command, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
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
            throw new TransportException(
                $"The error queue '{format.Key}' could not be {what}: {Printable.Line(failure.Message)}", failure);
        }
    }

    private sealed record Opened(RedisConnection Connection, TransportContext Context);

    /// <summary>One entry of the list; without a report when it is none.</summary>
    private sealed record Entry(byte[] Bytes, string Hash, ErrorReport? Report);

    /// <summary>Which entry was taken, under which lease, and what proves it.</summary>
    private sealed record Receipt(byte[] Entry, RedisKey LeaseKey, string Token);
}
