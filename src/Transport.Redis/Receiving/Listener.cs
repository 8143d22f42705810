using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>The subscriptions of this node behind one Redis channel or pattern. Thread-safe; heard on one thread.</summary>
internal sealed class Listener(
    MessageKind kind, TransportContext context, IRedisWire wire, Claims claims, Deliverer deliverer)
{
    private readonly Lock _lock = new();
    private volatile Member[] _members = [];

    public IEnumerable<Subscription> Subscriptions => _members.Select(m => m.Subscription);

    public void Add(IEnumerable<Subscription> subscriptions)
    {
        lock (_lock)
        {
            _members = [.. _members, .. subscriptions.Select(s => new Member(s, s.Group is null ? null : new(s, claims.TryTakeAsync)))];
        }
    }

    /// <summary>How many are left.</summary>
    public int Remove(Subscription subscription)
    {
        lock (_lock)
        {
            _members = [.. _members.Where(m => m.Subscription != subscription)];
            return _members.Length;
        }
    }

    public void Hear(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (RedisTransportOptions.Exceeds(frame!.Length, context.MaxBodyBytes))
        {
            context.ReportLoss("too-large", channel!, $"A message has {frame.Length} bytes.", StatusCode.BodyTooLarge);
        }
        else if (!wire.TryReadTopic(channel!, kind, out var topic))
        {
            context.ReportLoss("no-topic", channel!, "The channel's name is no topic.");
        }
        else if (!wire.TryReadMessage(kind, topic, frame, context.Clock, out var message, out var error))
        {
            context.ReportLoss("malformed-frame", channel!, error);
        }
        else if (kind == MessageKind.Request)
        {
            deliverer.Request(message, Array.ConvertAll(_members, m => m.Contest!));
        }
        else
        {
            // Redis knows '*' only as "any characters": a pattern's own grammar has the last word.
            foreach (var (subscription, contest) in _members.Where(m => m.Subscription.Pattern.Matches(topic)))
            {
                deliverer.Signal(message, subscription, contest);
            }
        }
    }

    /// <summary>A subscription, with its contest when it is in a group.</summary>
    private readonly record struct Member(Subscription Subscription, Contest? Contest);
}
