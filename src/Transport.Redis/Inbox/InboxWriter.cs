using System.Runtime.CompilerServices;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Publishes packets to the inboxes of nodes, and tells exactly what is known of each.</summary>
internal sealed class InboxWriter(RedisConnection connection, string prefix)
{
    /// <summary>The channel of a node's inbox: sharded where the servers have it, so that its count is exact on a cluster too.</summary>
    public RedisChannel ChannelOf(string nodeId) => connection.Client is { HasShardedChannels: false }
        ? RedisChannel.Literal($"{prefix}:inbox:{nodeId}").WithKeyRouting()
        : RedisChannel.Sharded($"{prefix}:inbox:{nodeId}");

    /// <summary>The mover of bytes to one node.</summary>
    public FrameWrite To(string nodeId)
    {
        var sharded = RedisChannel.Sharded($"{prefix}:inbox:{nodeId}");
        var plain = RedisChannel.Literal($"{prefix}:inbox:{nodeId}").WithKeyRouting();
        return (bytes, _) => WriteAsync(connection.Client is { HasShardedChannels: false } ? plain : sharded, bytes);
    }

    /// <summary>Publishes to this node itself.</summary>
    public Task<long> PublishAsync(string nodeId, byte[] packet) => connection.Subscriber.PublishAsync(ChannelOf(nodeId), packet);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<WriteOutcome> WriteAsync(RedisChannel channel, ReadOnlyMemory<byte> bytes)
    {
        if (!connection.IsUp)
        {
            return new(WriteResult.NotWritten, connection.Absence);
        }

        try
        {
            var receivers = await connection.Subscriber.PublishAsync(channel, bytes).ConfigureAwait(false);
            return receivers > 0 ? WriteOutcome.Written : new(WriteResult.NoReceiver, "No connection of the node receives its inbox.");
        }
        catch (RedisServerException refusal)
        {
            connection.Refused(Printable.Line(refusal.Message));
            return new(WriteResult.NotWritten, $"Redis refused the message: {Printable.Line(refusal.Message)}");
        }
        catch (RedisConnectionException failure)
            when (failure.CommandStatus is CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog)
        {
            return new(WriteResult.NotWritten, $"The message did not leave: {Printable.Line(failure.Message)}");
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            return new(WriteResult.Unknown, $"Redis did not acknowledge the message: {Printable.Line(failure.Message)}");
        }
    }
}
