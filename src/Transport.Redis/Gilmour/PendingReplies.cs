using System.Collections.Concurrent;

namespace ServiceMesh.Redis;

/// <summary>All requests of this node that wait, by the number of their message. Thread-safe.</summary>
internal sealed class PendingReplies
{
    private readonly ConcurrentDictionary<long, PendingReply> _waiting = new();

    public int Count => _waiting.Count;

    public PendingReply Add(Message request)
    {
        var pending = new PendingReply(request);
        _waiting[request.Id.Number] = pending;
        return pending;
    }

    /// <summary>The requests on a topic that wait now.</summary>
    public IEnumerable<PendingReply> On(string topic) =>
        _waiting.Values.Where(p => p.Request.Topic.ToString().Equals(topic, StringComparison.Ordinal));

    public PendingReply? Find(long request) => _waiting.GetValueOrDefault(request);

    public void Remove(long request) => _waiting.TryRemove(request, out _);

    /// <summary>Ends a request with its reply. False when the request has ended already.</summary>
    public bool TryEnd(long request, ReplyMessage reply) => _waiting.TryRemove(request, out var pending) && pending.TryEnd(reply);

    /// <summary>Ends every request that waits now, because its reply may be lost.</summary>
    public int EndAll(string reason)
    {
        var ended = 0;
        foreach (var (request, _) in _waiting)
        {
            ended += TryEnd(request, ReplyMessage.Failure(StatusCode.Unavailable, reason)) ? 1 : 0;
        }

        return ended;
    }
}
