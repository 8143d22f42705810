using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The subscriptions of this node behind one Redis channel or pattern, or behind the two channels of error reports. Thread-safe; each
/// channel is heard on one thread.
/// </summary>
internal sealed class Listener
{
    private readonly Lock _lock = new();
    private readonly MessageKind _kind;
    private readonly TransportContext _context;
    private readonly Claims _claims;
    private readonly Deliverer _deliverer;
    private readonly LossLog _losses;

    // What every message here is about; null behind a pattern, where each channel says it.
    private readonly Topic? _topic;
    private volatile Member[] _members = [];

    // Of the same members; a message that comes while they change may see the one or the other.
    private volatile GroupClaim[] _groupClaims = [];

    /// <param name="first">Any of those that will be added.</param>
    /// <param name="context">Who the node is.</param>
    /// <param name="claims">Decides within groups.</param>
    /// <param name="deliverer">Gets the messages.</param>
    /// <param name="losses">Is told of what is not a message.</param>
    public Listener(Subscription first, TransportContext context, Claims claims, Deliverer deliverer, LossLog losses)
    {
        (_kind, _context, _claims, _deliverer, _losses) = (first.Kind, context, claims, deliverer, losses);
        _topic = first.Pattern.IsExact ? Topic.Parse(first.Pattern.ToString()) : null;
    }

    public IEnumerable<Subscription> Subscriptions => _members.Select(m => m.Subscription);

    public void Add(IEnumerable<Subscription> subscriptions)
    {
        lock (_lock)
        {
            SetNeedsLock([.. _members, .. subscriptions.Select(s => new Member(s, s.Group is null ? null : new(s, _claims.TryTakeAsync)))]);
        }
    }

    /// <summary>How many are left.</summary>
    public int Remove(Subscription subscription)
    {
        lock (_lock)
        {
            SetNeedsLock([.. _members.Where(m => m.Subscription != subscription)]);
            return _members.Length;
        }
    }

    public void Hear(RedisChannel channel, RedisValue value)
    {
        byte[]? frame = value;
        if (RedisTransportOptions.Exceeds(frame!.Length, _context.MaxBodyBytes))
        {
            if (_kind == MessageKind.Request && _topic is { } asked)
            {
                _deliverer.TooLarge(channel!, asked, frame, _groupClaims);
            }
            else
            {
                _deliverer.TooLarge(channel!, frame.Length);
            }
        }
        else if ((_topic ?? TopicOf(channel!)) is not { } topic)
        {
            _losses.Report("no-topic", channel!, "The channel's name is not a topic.");
        }
        else if (!GilmourWire.TryReadMessage(_kind, topic, frame, _context.Clock, out var message, out var error))
        {
            _losses.Report("malformed-frame", channel!, error);
        }
        else if (_kind == MessageKind.Request)
        {
            _deliverer.Request(message, _groupClaims);
        }
        else
        {
            // Redis knows '*' only as "any characters": a pattern's own grammar has the last word.
            foreach (var (subscription, groupClaim) in _members)
            {
                if (subscription.Pattern.Matches(topic))
                {
                    _deliverer.Signal(message, subscription, groupClaim);
                }
            }
        }
    }

    private Topic? TopicOf(string channel) => GilmourWire.TryReadTopic(channel, _kind, out var topic) ? topic : null;

    private void SetNeedsLock(Member[] members) =>
        (_members, _groupClaims) = (members, [.. members.Select(m => m.Claim).OfType<GroupClaim>()]);

    /// <summary>A subscription, with the claims of its group when it is in one.</summary>
    private readonly record struct Member(Subscription Subscription, GroupClaim? Claim);
}
