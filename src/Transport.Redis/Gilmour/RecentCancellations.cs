using System.Collections.Concurrent;

namespace ServiceMesh.Redis;

/// <summary>
/// Requests whose callers gave up recently: the notice may be here before the request is, or before this node has won it.
/// Holds so many and forgets the oldest. Thread-safe.
/// </summary>
internal sealed class RecentCancellations(int capacity)
{
    private readonly ConcurrentDictionary<MessageId, bool> _cancelled = new();
    private readonly ConcurrentQueue<MessageId> _order = new();

    public bool Contains(MessageId request) => !_cancelled.IsEmpty && _cancelled.ContainsKey(request);

    public void Add(MessageId request)
    {
        if (_cancelled.TryAdd(request, true))
        {
            _order.Enqueue(request);
            while (_order.Count > capacity && _order.TryDequeue(out var oldest))
            {
                _cancelled.TryRemove(oldest, out _);
            }
        }
    }
}
