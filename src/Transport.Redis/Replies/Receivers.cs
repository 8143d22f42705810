using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// How many nodes hear a topic's requests. One server says it with PUBLISH. In a cluster each server counts its own
/// connections, so that 0 proves nothing there: then all are asked, and the nodes' own announcements when one is away.
/// </summary>
internal sealed class Receivers(RedisConnection connection, IRedisWire wire, Presence presence, ILogger logger)
{
    /// <summary>What a publication's receiver count says: 0 when nobody hears the topic, null when that many is not all.</summary>
    public ValueTask<long?> JudgeAsync(Topic topic, long published) =>
        !connection.IsCluster ? new(published)
        : published > 0 ? new((long?)null)
        : new(AnyAsync(topic));

    /// <summary>How many hear the topic's requests now.</summary>
    public async Task<long> CountAsync(Topic topic)
    {
        try
        {
            var channel = Publisher.Channel(wire.RequestChannel(topic));
            var counts = await Task.WhenAll(connection.Servers.Select(s => s.SubscriptionSubscriberCountAsync(channel, CommandFlags.None))).ConfigureAwait(false);
            return counts.Sum();
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            RedisLog.CountFailed(logger, topic, failure.Message);
        }

        try
        {
            return (await presence.ListAsync().ConfigureAwait(false)).Count(node => Handles(node, topic));
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            return long.MaxValue; // nobody can say that there is none
        }
    }

    private static bool Handles(NodeInfo node, Topic topic) => !node.IsDraining
        && node.Subscriptions.Any(s => s.Kind == MessageKind.Request && s.Pattern.Equals(topic.ToString(), StringComparison.Ordinal));

    private async Task<long?> AnyAsync(Topic topic) => await CountAsync(topic).ConfigureAwait(false) == 0 ? 0 : null;
}
