using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Keeps the shared clock of deadlines on the time of Redis. On a cluster all nodes ask the master that holds one key, so
/// that they mean the same clock; when another server holds it, that is another clock.
/// </summary>
internal sealed class ServerClock(RedisConnection connection, SharedClock shared, TimeProvider clock, string prefix)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    // A measurement that took longer says too little about the middle.
    private static readonly TimeSpan s_precision = TimeSpan.FromMilliseconds(250);

    /// <summary>Measures once. What cannot be measured leaves the last measurement in force.</summary>
    public async Task MeasureAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (connection.Client is not { } client || Find(client) is not { } server)
            {
                return;
            }

            var id = await IdAsync(client, server, cancellationToken).ConfigureAwait(false);
            var before = clock.GetTimestamp();
            var time = await server.TimeAsync().WaitAsync(s_patience, clock, cancellationToken).ConfigureAwait(false);
            var after = clock.GetTimestamp();
            if (clock.GetElapsedTime(before, after) <= s_precision)
            {
                shared.Set(id, new DateTimeOffset(time).ToUnixTimeMilliseconds(), before + ((after - before) / 2));
            }
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // The next measurement makes up for it.
        }
    }

    /// <summary>The time of Redis as this node knows it, in milliseconds; the machine's own before the first measurement.</summary>
    public long Now => shared.Now ?? clock.GetUtcNow().ToUnixTimeMilliseconds();

    private IServer? Find(ConnectedClient client)
    {
        if (!client.IsCluster)
        {
            return client.Multiplexer.GetServers().FirstOrDefault(server => server is { IsConnected: true, IsReplica: false })
                ?? client.Multiplexer.GetServers().FirstOrDefault(server => server.IsConnected);
        }

        var slot = client.Multiplexer.HashSlot($"{prefix}:clock");
        var owner = client.Multiplexer.GetServers().Where(server => server.IsConnected)
            .Select(server => server.ClusterConfiguration).FirstOrDefault(c => c is not null)?.GetBySlot(slot)?.EndPoint;
        return owner is null ? null : client.Multiplexer.GetServer(owner);
    }

    // The name of the clock lies in Redis: the first node that finds none makes one. On a cluster the server is part of it.
    private async Task<uint> IdAsync(ConnectedClient client, IServer server, CancellationToken cancellationToken)
    {
        var key = $"{prefix}:clock";
        var name = await client.Database.StringGetAsync(key).WaitAsync(s_patience, clock, cancellationToken).ConfigureAwait(false);
        if (name.IsNull)
        {
            await client.Database.StringSetAsync(key, Guid.NewGuid().ToString("N"), when: When.NotExists).WaitAsync(s_patience, clock,
                cancellationToken).ConfigureAwait(false);
            name = await client.Database.StringGetAsync(key).WaitAsync(s_patience, clock, cancellationToken).ConfigureAwait(false);
        }

        return Hash(client.IsCluster ? $"{name} {server.EndPoint}" : $"{name}");
    }

    // FNV-1a, and never 0, which stands for no clock.
    private static uint Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var c in text)
        {
            hash = (hash ^ c) * 16777619u;
        }

        return Math.Max(1, hash);
    }
}
