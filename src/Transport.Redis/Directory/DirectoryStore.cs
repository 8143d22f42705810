using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// How the directory lies in Redis: for each node a hash with a field for what the node is and one for each thing that it handles,
/// which expires when it is not renewed, and a sorted set of the node ids by the time at which they expire.
/// </summary>
internal sealed class DirectoryStore(RedisConnection connection, ServerClock clock, TimeProvider time, string prefix)
{
    /// <summary>An entry that is not renewed is gone after this.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(15);

    // What anyone else wrote there is not looked at beyond this, and ages out.
    private const int MaxMembers = 4096;
    private const int MaxOffers = 100_000;
    private const string Head = "node";
    private const string State = "v";
    private const int OwnFields = 2;

    // Times beyond this are not those of a node.
    private static readonly TimeSpan s_latest = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private readonly string _members = $"{prefix}:members";

    public RedisChannel Notices { get; } = RedisChannel.Literal($"{prefix}:notices");

    /// <summary>Writes all of this node's entry, whatever lies there.</summary>
    public Task WriteAllAsync(Announcement self, EntryState state, IEnumerable<Offer> offers)
    {
        var key = KeyOf(self.Id);
        var transaction = connection.Database.CreateTransaction();
        HashEntry[] entries = [new(Head, Encode(self)), new(State, state.ToString()), .. offers.Select(o => new HashEntry(o.ToString(),
            RedisValue.EmptyString))];
        Task[] commands =
        [
            transaction.KeyDeleteAsync(key),
            transaction.HashSetAsync(key, entries),
            transaction.KeyExpireAsync(key, Lifetime),
        ];
        return Task.WhenAll(ExecuteAsync(transaction, commands), ListSelfAsync(self.Id)).WaitAsync(s_patience, time);
    }

    /// <summary>Writes what changed in this node's entry.</summary>
    public Task WriteChangeAsync(string id, EntryState state, IReadOnlyList<Offer> added, IReadOnlyList<Offer> removed)
    {
        var key = KeyOf(id);
        HashEntry[] entries = [new(State, state.ToString()), .. added.Select(o => new HashEntry(o.ToString(), RedisValue.EmptyString))];
        if (removed.Count == 0)
        {
            return connection.Database.HashSetAsync(key, entries).WaitAsync(s_patience, time);
        }

        var transaction = connection.Database.CreateTransaction();
        Task[] commands = [transaction.HashDeleteAsync(key, [.. removed.Select(o => (RedisValue)o.ToString())]),
            transaction.HashSetAsync(key, entries)];
        return ExecuteAsync(transaction, commands).WaitAsync(s_patience, time);
    }

    /// <summary>
    /// Renews this node's entry, and takes out of the set what has aged out. False when the entry is not whole and must be written
    /// again.
    /// </summary>
    public async Task<bool> RenewAsync(string id, int offers)
    {
        var database = connection.Database;
        var now = clock.Now;
        var length = database.HashLengthAsync(KeyOf(id));
        var renewed = database.KeyExpireAsync(KeyOf(id), Lifetime);
        await Task.WhenAll(
            length,
            renewed,
            ListSelfAsync(id),
            database.SortedSetRemoveRangeByScoreAsync(_members, double.NegativeInfinity, now),
            database.SortedSetRemoveRangeByScoreAsync(_members, now + s_latest.TotalMilliseconds,
                double.PositiveInfinity)).WaitAsync(s_patience, time).ConfigureAwait(false);
        return await renewed.ConfigureAwait(false) && await length.ConfigureAwait(false) == offers + OwnFields;
    }

    /// <summary>Takes this node out.</summary>
    public Task RemoveAsync(string id) =>
        Task.WhenAll(connection.Database.KeyDeleteAsync(KeyOf(id)), connection.Database.SortedSetRemoveAsync(_members,
            id)).WaitAsync(s_patience, time);

    /// <summary>Publishes a notice. All nodes that are there receive it.</summary>
    public Task PublishAsync(DirectoryNotice notice) => connection.Subscriber
        .PublishAsync(Notices, JsonSerializer.SerializeToUtf8Bytes(notice, DirectoryJson.Default.DirectoryNotice)).WaitAsync(s_patience,
            time);

    /// <summary>The ids of the nodes that are there, as far as they can be ids.</summary>
    public async Task<IReadOnlyList<string>> ListAsync()
    {
        var now = clock.Now;
        var ids = await connection.Database.SortedSetRangeByScoreAsync(_members, now, now + s_latest.TotalMilliseconds, take: MaxMembers)
            .WaitAsync(s_patience, time).ConfigureAwait(false);
        return [.. ids.Select(id => (string?)id).Where(DirectoryJson.IsNodeId).OfType<string>()];
    }

    /// <summary>The state of a node's entry; null when it has no entry, or one that is not meant.</summary>
    public async Task<EntryState?> ReadStateAsync(string id)
    {
        var state = await connection.Database.HashGetAsync(KeyOf(id), State).WaitAsync(s_patience, time).ConfigureAwait(false);
        return EntryState.TryRead(state, out var read) ? read : null;
    }

    /// <summary>A node's whole entry; null when there is none, or one that is not whole.</summary>
    public async Task<(Announcement Announced, EntryState State, IReadOnlyList<Offer> Offers)?> ReadAsync(string id)
    {
        var database = connection.Database;
        if (await database.HashLengthAsync(KeyOf(id)).WaitAsync(s_patience, time).ConfigureAwait(false) is 0 or > MaxOffers)
        {
            return null;
        }

        var fields = await database.HashGetAllAsync(KeyOf(id)).WaitAsync(s_patience, time).ConfigureAwait(false);
        var offers = new List<Offer>(fields.Length);
        Announcement? announced = null;
        EntryState? state = null;
        foreach (var field in fields)
        {
            if (field.Name == Head)
            {
                announced = DirectoryJson.ReadAnnouncement((byte[])field.Value!) is { } read && read.Id == id ? read : null;
            }
            else if (field.Name == State)
            {
                state = EntryState.TryRead(field.Value, out var read) ? read : null;
            }
            else if (Offer.TryRead(field.Name, out var offer))
            {
                offers.Add(offer);
            }
        }

        return announced is not null && state is { } whole && whole.Count == offers.Count ? (announced, whole, offers) : null;
    }

    private static byte[] Encode(Announcement self) => JsonSerializer.SerializeToUtf8Bytes(self, DirectoryJson.Default.Announcement);

    private static async Task ExecuteAsync(ITransaction transaction, Task[] commands)
    {
        // First whether it went out: the client leaves the commands of a transaction that did not without an end.
        await transaction.ExecuteAsync().ConfigureAwait(false);
        await Task.WhenAll(commands).ConfigureAwait(false);
    }

    private Task<bool> ListSelfAsync(string id) =>
        connection.Database.SortedSetAddAsync(_members, id, clock.Now + Lifetime.TotalMilliseconds);

    private string KeyOf(string id) => $"{prefix}:member:{id}";
}
