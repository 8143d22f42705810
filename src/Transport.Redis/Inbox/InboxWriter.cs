using System.Runtime.CompilerServices;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Publishes packets to the inboxes of nodes, and tells exactly what is known of each.</summary>
/// <param name="connection">Publishes.</param>
/// <param name="prefix">What the names of channels begin with.</param>
/// <param name="nodeId">This node.</param>
/// <param name="sealers">Makes what seals the packets of one inbox; null to publish them as they are.</param>
internal sealed class InboxWriter(RedisConnection connection, string prefix, string nodeId, Func<Sealer>? sealers)
{
    // Its beats and its requests to itself go one way, in the order of their numbers.
    private readonly Sealer? _toSelf = sealers?.Invoke();

    /// <summary>The channel of a node's inbox: sharded where the servers have it, so that its count is exact on a cluster too.</summary>
    public RedisChannel ChannelOf(string peer) => ChannelsOf(peer) is var (sharded, plain) && HasSharded ? sharded : plain;

    /// <summary>The mover of bytes to one node.</summary>
    public FrameWrite To(string peer)
    {
        var (sharded, plain) = ChannelsOf(peer);
        var sealer = peer == nodeId ? _toSelf : sealers?.Invoke();
        return (bytes, _) => WriteAsync(HasSharded ? sharded : plain, bytes, sealer);
    }

    /// <summary>Publishes to this node itself.</summary>
    public Task BeatAsync(byte[] packet) => PublishAsync(ChannelOf(nodeId), packet, _toSelf).AsTask();

    private bool HasSharded => connection.Client is not { HasShardedChannels: false };

    private (RedisChannel Sharded, RedisChannel Plain) ChannelsOf(string peer)
    {
        var name = $"{prefix}:inbox:{peer}";
        return (RedisChannel.Sharded(name), RedisChannel.Literal(name).WithKeyRouting());
    }

    private ValueTask<long> PublishAsync(RedisChannel channel, ReadOnlyMemory<byte> bytes, Sealer? sealer) => sealer is null
        ? new(connection.Subscriber.PublishAsync(channel, bytes))
        : sealer.PublishAsync(
            (byte[])channel!, bytes, (connection.Subscriber, channel),
            static (to, packet) => to.Subscriber.PublishAsync(to.channel, packet));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<WriteOutcome> WriteAsync(RedisChannel channel, ReadOnlyMemory<byte> bytes, Sealer? sealer)
    {
        if (!connection.IsUp)
        {
            return new(WriteResult.NotWritten, connection.Absence);
        }

        try
        {
            var receivers = await PublishAsync(channel, bytes, sealer).ConfigureAwait(false);
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
