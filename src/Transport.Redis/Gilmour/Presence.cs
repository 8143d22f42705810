using System.Text.Json;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Announces this node in Redis and lists the others: a key for each node that expires when it is not renewed, and a
/// sorted set that knows which keys to ask for, by the time at which they expire.
/// </summary>
internal sealed class Presence(RedisConnection connection, TransportContext context, LossLog losses, string prefix) : IAsyncDisposable
{
    /// <summary>A node that died is listed for at most so long.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(5);

    private readonly string _nodes = $"{prefix}:nodes";
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    /// <summary>Announces now, and again and again until it is disposed.</summary>
    public async Task StartAsync()
    {
        await TryAnnounceAsync().ConfigureAwait(false);
        _loop = RenewAsync();
    }

    /// <summary>Tells at once what has changed. Without Redis it tells nothing, and the next renewal makes up for it.</summary>
    public async Task TryAnnounceAsync()
    {
        try
        {
            await AnnounceAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            // The connection's own watch tells of the gap.
        }
    }

    private async Task AnnounceAsync()
    {
        var database = connection.Database;
        var now = context.Clock.GetUtcNow();
        var info = JsonSerializer.SerializeToUtf8Bytes(context.Describe(), RedisJson.Default.NodeInfo);
        await Task.WhenAll(
            database.StringSetAsync(KeyOf(context.NodeId), info, Lifetime, When.Always, CommandFlags.None),
            database.SortedSetAddAsync(_nodes, context.NodeId, (now + Lifetime).ToUnixTimeMilliseconds(), CommandFlags.None),
            database.SortedSetRemoveRangeByScoreAsync(
                _nodes, double.NegativeInfinity, (now - Lifetime).ToUnixTimeMilliseconds(), Exclude.None, CommandFlags.None))
            .ConfigureAwait(false);
    }

    /// <summary>The nodes whose keys are there now.</summary>
    public async Task<IReadOnlyList<NodeInfo>> ListAsync()
    {
        var database = connection.Database;
        var ids = await database.SortedSetRangeByScoreAsync(
            _nodes, double.NegativeInfinity, double.PositiveInfinity,
            Exclude.None, Order.Ascending, 0, -1, CommandFlags.None)
            .ConfigureAwait(false);
        // One by one and not as one command, which on a cluster would need all keys on one server.
        var found = await Task.WhenAll(ids.Select(id => database.StringGetAsync(KeyOf(id!), CommandFlags.None))).ConfigureAwait(false);
        return [.. found.Zip(ids).Where(f => !f.First.IsNull).Select(f => Read(f.First!, f.Second!)).OfType<NodeInfo>()];
    }

    private NodeInfo? Read(byte[] announced, string nodeId)
    {
        try
        {
            return JsonSerializer.Deserialize(announced, RedisJson.Default.NodeInfo);
        }
        catch (JsonException)
        {
            losses.Report("unreadable-presence", KeyOf(nodeId), "What is announced there is not a node.");
            return null;
        }
    }

    /// <summary>Ends the renewal and takes this node off the list.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        try
        {
            var database = connection.Database;
            await Task.WhenAll(
                database.KeyDeleteAsync(KeyOf(context.NodeId), CommandFlags.None),
                database.SortedSetRemoveAsync(_nodes, context.NodeId, CommandFlags.None)).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            // Redis forgets the node by itself when the key expires.
        }

        _stopping.Dispose();
    }

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(s_renewal, context.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                await TryAnnounceAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the loop, as asked.
        }
    }

    private string KeyOf(string nodeId) => $"{prefix}:node:{nodeId}";
}
