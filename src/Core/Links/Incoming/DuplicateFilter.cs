using System.Collections.Concurrent;

namespace ServiceMesh.Links;

/// <summary>
/// Refuses what arrives twice. The ids of one sender rise in the order in which its frames leave, so an id that is not above
/// the last one is a duplicate, or a frame that its sender has given up for lost. Bounded by the number of senders. Thread-safe.
/// </summary>
/// <param name="maxSenders">The most senders that are remembered; beyond that the table starts afresh.</param>
internal sealed class DuplicateFilter(int maxSenders = 65_536)
{
    private readonly ConcurrentDictionary<string, Last> _last = new();

    /// <summary>True for an id that is above all before it.</summary>
    public bool IsNew(string sender, long id)
    {
        if (!_last.TryGetValue(sender, out var last))
        {
            if (_last.Count >= maxSenders)
            {
                _last.Clear();
            }

            last = _last.GetOrAdd(sender, static _ => new());
        }

        lock (last.Lock)
        {
            var isNew = id > last.Id;
            last.Id = isNew ? id : last.Id;
            return isNew;
        }
    }

    public void Forget(string sender) => _last.TryRemove(sender, out _);

    private sealed class Last
    {
        public Lock Lock { get; } = new();

        public long Id { get; set; }
    }
}
