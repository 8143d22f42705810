using System.Globalization;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// What one subscription hears, opened. What a node of this mesh has not sealed for this channel and this moment is counted, told without
/// a flood, and goes no further. Nothing that arrives can make it throw. Thread-safe; packets are to be given in their order.
/// </summary>
/// <param name="seal">Of this node.</param>
/// <param name="context">Says which key a message names.</param>
/// <param name="now">The mesh's clock in milliseconds.</param>
/// <param name="what">What is heard, for metrics: <c>inbox</c>, <c>signals</c>, <c>notices</c>.</param>
/// <param name="onLoss">Is told of what is not accepted.</param>
/// <param name="hear">Is given the rest.</param>
internal sealed class SealedChannel(NodeSeal seal, TransportContext context, Func<long> now, string what, Action<LinkLoss> onLoss,
    Action<RedisChannel, ReadOnlyMemory<byte>> hear)
{
    // More than any batch or message; the rest of it is not looked at.
    private const int Spare = 17 * 1024 * 1024;

    private readonly Freshness<RedisChannel> _fresh = new(now);
    private readonly Lock _lock = new();

    public void Hear(RedisChannel channel, RedisValue value)
    {
        ReadOnlyMemory<byte> packet = value;
        if (packet.Length > (long)context.MaxBodyBytes + Spare)
        {
            onLoss(new("malformed-frame", "unknown", what, $"A packet of {packet.Length} bytes was skipped."));
            return;
        }

        var fault = seal.Open((byte[])channel!, packet.Span, out var head, out var plain);
        if (fault == SealFault.None)
        {
            // A connection that was replaced may still deliver while the new one does.
            lock (_lock)
            {
                fault = _fresh.Judge(head, channel);
            }
        }

        if (fault == SealFault.None)
        {
            hear(channel, plain);
        }
        else
        {
            onLoss(Loss(fault, head, packet.Length));
        }
    }

    private LinkLoss Loss(SealFault fault, in SealHead head, int length)
    {
        var key = context.KeyOf("Redis:Keys");
        return fault switch
        {
            SealFault.NotSealed => new("not-sealed", "unknown", what,
                $"A packet of {length} bytes is not sealed. Give {key} to every node of the mesh."),
            SealFault.UnknownKey => new("unknown-key", "unknown", what,
                $"A packet is sealed with the key '{SealKey.Print(head.Key)}', which this node does not have. Give every node of the mesh "
                + $"the same {key}, and another mesh another {context.KeyOf("Redis:KeyPrefix")}."),
            SealFault.Forged => new("forged", "unknown", what,
                $"A packet of {length} bytes is not as a node of the mesh has sealed it for this channel: it was forged, changed or cut."),
            SealFault.Replayed => new("replayed", "unknown", what,
                "A packet came twice, or behind a later one of its sender. It was not handled again."),
            _ => new("late", "unknown", what,
                $"A packet was sealed {(((double)now() - head.Instant) / 1000).ToString("0", CultureInfo.InvariantCulture)} s ago, and "
                + $"{Freshness<RedisChannel>.Tolerance.TotalSeconds} s are accepted. It is a replay, or the clocks of the Redis servers "
                + "differ."),
        };
    }
}
