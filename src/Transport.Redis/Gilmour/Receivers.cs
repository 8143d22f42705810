using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// How many nodes hear a topic's requests. One server says it with PUBLISH. In a cluster each server counts its own
/// connections, so that 0 proves nothing there: then all are asked, and the nodes' own announcements when one is away.
/// </summary>
internal sealed class Receivers(RedisConnection connection, Presence presence, ILogger logger)
{
    /// <summary>True when the receiver count of PUBLISH is that of all.</summary>
    public bool PublishCountsAll => connection.PublishCountsAll;

    /// <summary>How many hear the topic's requests now.</summary>
    public async Task<long> CountAsync(Topic topic)
    {
        try
        {
            var channel = Publisher.Channel(GilmourWire.RequestChannel(topic));
            var counts = await Task.WhenAll(
                connection.Servers.Select(s => s.SubscriptionSubscriberCountAsync(channel, CommandFlags.None))).ConfigureAwait(false);
            return counts.Sum();
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            RedisLog.CountFailed(logger, topic, Printable.Line(failure.Message));
        }

        return (await ListAsync(topic).ConfigureAwait(false)).Count;
    }

    /// <summary>
    /// The groups in which nodes have announced that they handle the topic. Those that have just left or died are among them,
    /// and may have taken a request before.
    /// </summary>
    public async Task<IReadOnlyList<string>> AnnouncedGroupsAsync(Topic topic) =>
        [.. (await ListAsync(topic).ConfigureAwait(false)).SelectMany(groups => groups).Distinct()];

    // By node, the groups in which it handles the topic.
    private async Task<IReadOnlyList<string[]>> ListAsync(Topic topic)
    {
        var nodes = await presence.ListAsync().ConfigureAwait(false);
        return [.. nodes.Select(node => GroupsOf(node, topic)).Where(groups => groups.Length > 0)];
    }

    private static string[] GroupsOf(NodeInfo node, Topic topic) =>
    [
        .. node.Subscriptions
            .Where(s => s.Kind == MessageKind.Request && s.Pattern.Equals(topic.ToString(), StringComparison.Ordinal))
            .Select(s => s.Group!),
    ];
}
