using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// How the directory lies in Redis: for each node a hash, which expires when it is not renewed, and a sorted set of the node ids by the
/// time at which they expire.
/// </summary>
/// <param name="connection">Reads and writes.</param>
/// <param name="clock">That of the mesh.</param>
/// <param name="time">Bounds each wait.</param>
/// <param name="prefix">What the names of keys and channels begin with.</param>
/// <param name="format">How an entry lies in its hash.</param>
/// <param name="sealer">Seals notices; null to publish them as they are.</param>
internal sealed class DirectoryStore(RedisConnection connection, ServerClock clock, TimeProvider time, string prefix, IEntryFormat format,
    Sealer? sealer)
{
    /// <summary>An entry that is not renewed is gone after this.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(15);

    // What anyone else wrote there is not looked at beyond this, and ages out.
    private const int MaxMembers = 4096;
    private const int MaxOffers = 100_000;

    // Times beyond this are not those of a node.
    private static readonly TimeSpan s_latest = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private readonly string _members = $"{prefix}:members";

    public RedisChannel Notices { get; } = RedisChannel.Literal($"{prefix}:notices");

    /// <summary>The key of a node's entry.</summary>
    public static string KeyOf(string prefix, string id) => $"{prefix}:member:{id}";

    /// <summary>Writes all of this node's entry, whatever lies there.</summary>
    public Task WriteAllAsync(Announcement self, EntryState state, IReadOnlyCollection<Offer> offers)
    {
        var key = KeyOf(prefix, self.Id);
        var transaction = connection.Database.CreateTransaction();
        Task[] commands =
        [
            transaction.KeyDeleteAsync(key),
            transaction.HashSetAsync(key, format.Whole(self, state, offers)),
            transaction.KeyExpireAsync(key, Lifetime),
        ];
        return Task.WhenAll(ExecuteAsync(transaction, commands), ListSelfAsync(self.Id)).WaitAsync(s_patience, time);
    }

    /// <summary>Writes what changed in this node's entry.</summary>
    /// <param name="self">Who it is.</param>
    /// <param name="state">The state after the change.</param>
    /// <param name="offers">All that it handles now.</param>
    /// <param name="added">What it did not handle before.</param>
    /// <param name="removed">What it does not handle any longer.</param>
    public Task WriteChangeAsync(
        Announcement self, EntryState state, IReadOnlyCollection<Offer> offers, IReadOnlyList<Offer> added, IReadOnlyList<Offer> removed)
    {
        var key = KeyOf(prefix, self.Id);
        var (written, obsolete) = format.Change(self, state, offers, added, removed);
        if (obsolete.Length == 0)
        {
            return connection.Database.HashSetAsync(key, written).WaitAsync(s_patience, time);
        }

        var transaction = connection.Database.CreateTransaction();
        Task[] commands = [transaction.HashDeleteAsync(key, obsolete), transaction.HashSetAsync(key, written)];
        return ExecuteAsync(transaction, commands).WaitAsync(s_patience, time);
    }

    /// <summary>
    /// Renews this node's entry, and takes out of the set what has aged out. False when the entry is not whole and must be written
    /// again.
    /// </summary>
    public async Task<bool> RenewAsync(string id, EntryState state)
    {
        var database = connection.Database;
        var now = clock.Now;
        var key = KeyOf(prefix, id);
        var length = database.HashLengthAsync(key);
        var alive = format.Renewal(id, state) is { Length: > 0 } fields ? database.HashSetAsync(key, fields) : Task.CompletedTask;
        var renewed = database.KeyExpireAsync(key, Lifetime);
        await Task.WhenAll(
            length,
            alive,
            renewed,
            ListSelfAsync(id),
            database.SortedSetRemoveRangeByScoreAsync(_members, double.NegativeInfinity, now),
            database.SortedSetRemoveRangeByScoreAsync(_members, now + s_latest.TotalMilliseconds,
                double.PositiveInfinity)).WaitAsync(s_patience, time).ConfigureAwait(false);
        return await renewed.ConfigureAwait(false) && await length.ConfigureAwait(false) == format.FieldsOf(state.Count);
    }

    /// <summary>Takes this node out.</summary>
    public Task RemoveAsync(string id) =>
        Task.WhenAll(connection.Database.KeyDeleteAsync(KeyOf(prefix, id)), connection.Database.SortedSetRemoveAsync(_members,
            id)).WaitAsync(s_patience, time);

    /// <summary>Publishes a notice. All nodes that are there receive it.</summary>
    public Task PublishAsync(DirectoryNotice notice)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(notice, DirectoryJson.Default.DirectoryNotice);
        var publishing = sealer is null
            ? connection.Subscriber.PublishAsync(Notices, json)
            : sealer.PublishAsync((byte[])Notices!, json, (connection.Subscriber, Notices), static (to, packet) =>
                to.Subscriber.PublishAsync(to.Notices, packet)).AsTask();
        return publishing.WaitAsync(s_patience, time);
    }

    /// <summary>The ids of the nodes that are there, as far as they can be ids.</summary>
    public async Task<IReadOnlyList<string>> ListAsync()
    {
        var now = clock.Now;
        var ids = await connection.Database.SortedSetRangeByScoreAsync(_members, now, now + s_latest.TotalMilliseconds, take: MaxMembers)
            .WaitAsync(s_patience, time).ConfigureAwait(false);
        return [.. ids.Select(id => (string?)id).Where(DirectoryJson.IsNodeId).OfType<string>()];
    }

    /// <summary>
    /// How many of the nodes that are there can be read with this node's keys, how many have other keys, and how many have none where
    /// this node has keys. What is none of these is not counted.
    /// </summary>
    public async Task<(int Same, int Other, int Unsealed)> CountByKeysAsync()
    {
        var ids = await ListAsync().ConfigureAwait(false);
        var states = await Task.WhenAll(ids.Select(async id => (Id: id, Field: await ReadFieldAsync(id).ConfigureAwait(false))))
            .ConfigureAwait(false);
        return (states.Count(s => format.TryReadState(s.Id, s.Field, out _)),
            states.Count(s => !s.Field.IsNull && format.IsOfOtherKeys(s.Field)),
            states.Count(s => !s.Field.IsNull && format.LacksSeal(s.Field)));
    }

    /// <summary>The state of a node's entry; null when it has no entry, or one that is not meant.</summary>
    public async Task<EntryState?> ReadStateAsync(string id) =>
        format.TryReadState(id, await ReadFieldAsync(id).ConfigureAwait(false), out var state) ? state : null;

    /// <summary>A node's whole entry; null when there is none, or one that is not whole.</summary>
    public async Task<Entry?> ReadAsync(string id)
    {
        var (database, key) = (connection.Database, KeyOf(prefix, id));
        if (await database.HashLengthAsync(key).WaitAsync(s_patience, time).ConfigureAwait(false) is 0 or > MaxOffers)
        {
            return null;
        }

        var fields = await database.HashGetAllAsync(key).WaitAsync(s_patience, time).ConfigureAwait(false);
        return format.TryRead(id, fields, out var entry) ? entry : null;
    }

    private Task<RedisValue> ReadFieldAsync(string id) =>
        connection.Database.HashGetAsync(KeyOf(prefix, id), EntryFields.State).WaitAsync(s_patience, time);

    private static async Task ExecuteAsync(ITransaction transaction, Task[] commands)
    {
        // First whether it went out: the client leaves the commands of a transaction that did not without an end.
        await transaction.ExecuteAsync().ConfigureAwait(false);
        await Task.WhenAll(commands).ConfigureAwait(false);
    }

    private Task<bool> ListSelfAsync(string id) =>
        connection.Database.SortedSetAddAsync(_members, id, clock.Now + Lifetime.TotalMilliseconds);
}
