using System.Collections.Concurrent;

namespace ServiceMesh.Transports;

/// <summary>
/// Finds the subscriptions of a topic. Readers see an immutable snapshot and never wait; a change builds the next
/// snapshot. Finding costs one dictionary look-up for exact subscriptions; where there are patterns, a topic is looked
/// up in a tree of segments the first time and remembered, so the cost does not depend on how many there are.
/// </summary>
/// <remarks>
/// Thread-safe. A change copies what it touches: 10,000 exact subscriptions are some 300 KB, so add many at once.
/// </remarks>
public sealed class SubscriptionTable
{
    private readonly Lock _writers = new();
    private volatile Snapshot _snapshot = Snapshot.Empty;

    /// <summary>How many subscriptions there are.</summary>
    public int Count => _snapshot.Count;

    /// <summary>Adds subscriptions, all of them visible at once.</summary>
    public void Add(params IReadOnlyCollection<Subscription> subscriptions)
    {
        ArgumentNullException.ThrowIfNull(subscriptions);
        lock (_writers)
        {
            _snapshot = _snapshot.With(subscriptions);
        }
    }

    /// <summary>Takes a subscription out. False when it was not there.</summary>
    public bool Remove(Subscription subscription)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        lock (_writers)
        {
            var next = _snapshot.Without(subscription);
            var removed = next.Count < _snapshot.Count;
            _snapshot = next;
            return removed;
        }
    }

    /// <summary>
    /// Everyone who should hear of a message on this topic. Does not allocate, unless the topic is met for the first
    /// time since the last change and patterns match it.
    /// </summary>
    public SubscriptionMatch Match(Topic topic) => _snapshot.Match(topic);

    private sealed class Snapshot(int count, Dictionary<string, SubscriptionMatch> exact, PatternNode patterns)
    {
        public static readonly Snapshot Empty = new(0, [], PatternNode.Empty);

        // Topics come from outside, so what is remembered of them is bounded; beyond that it starts afresh.
        private const int MaxRemembered = 4096;
        private const int MaxRememberedSubscriptions = 1_000_000;
        private int _rememberedSubscriptions;

        // Counted here, because a concurrent dictionary takes all of its locks to say how many it holds.
        private int _remembered;
        private readonly ConcurrentDictionary<string, SubscriptionMatch> _withPatterns = new();

        public int Count => count;

        public SubscriptionMatch Match(Topic topic)
        {
            var name = topic.ToString();
            if (patterns.IsEmpty)
            {
                return exact.GetValueOrDefault(name, SubscriptionMatch.None);
            }

            return _withPatterns.TryGetValue(name, out var remembered) ? remembered : Remember(name);
        }

        private SubscriptionMatch Remember(string topic)
        {
            var match = exact.GetValueOrDefault(topic, SubscriptionMatch.None);
            List<Subscription>? byPattern = null;
            patterns.Collect(topic, ref byPattern);
            // A pattern matches the bus's own topics only when it begins with 'mesh.'.
            if (topic.StartsWith(ReservedTopics.Prefix, StringComparison.Ordinal))
            {
                byPattern?.RemoveAll(s => !ReservedTopics.IsReserved(s.Pattern));
            }

            if (byPattern is { Count: > 0 })
            {
                match = match.With(byPattern);
            }

            var size = Interlocked.Add(ref _rememberedSubscriptions, match.Count);
            if (Interlocked.Increment(ref _remembered) > MaxRemembered || size > MaxRememberedSubscriptions)
            {
                Interlocked.Exchange(ref _rememberedSubscriptions, match.Count);
                Interlocked.Exchange(ref _remembered, 1);
                _withPatterns.Clear();
            }

            // Two threads may both have looked: one object must win, because it holds whose turn it is.
            return _withPatterns.GetOrAdd(topic, match);
        }

        public Snapshot With(IReadOnlyCollection<Subscription> added)
        {
            var nextExact = new Dictionary<string, SubscriptionMatch>(exact);
            foreach (var group in added.Where(s => s.Pattern.IsExact).GroupBy(s => s.Pattern.ToString()))
            {
                nextExact[group.Key] = nextExact.GetValueOrDefault(group.Key, SubscriptionMatch.None).With(group);
            }

            Subscription[] byPattern = [.. added.Where(s => !s.Pattern.IsExact)];
            var nextPatterns = byPattern.Length > 0 ? patterns.With(byPattern, 0) : patterns;
            return new(count + added.Count, nextExact, nextPatterns);
        }

        public Snapshot Without(Subscription removed)
        {
            var key = removed.Pattern.ToString();
            if (!removed.Pattern.IsExact)
            {
                var (nextPatterns, wasThere) = patterns.Without(removed, 0);
                return wasThere ? new(count - 1, exact, nextPatterns) : this;
            }

            if (!exact.TryGetValue(key, out var match) || !match.Contains(removed))
            {
                return this;
            }

            var nextExact = new Dictionary<string, SubscriptionMatch>(exact);
            var left = match.Without(removed);
            if (left.Count == 0)
            {
                nextExact.Remove(key);
            }
            else
            {
                nextExact[key] = left;
            }

            return new(count - 1, nextExact, patterns);
        }
    }

    /// <summary>One segment deep in the tree of patterns. Immutable once published; a change copies the path to it.</summary>
    private sealed class PatternNode
    {
        public static readonly PatternNode Empty = new();

        private Dictionary<string, PatternNode> _literals = [];
        private PatternNode? _any;
        private Subscription[] _here = [];   // patterns that end at this node
        private Subscription[] _rest = [];   // patterns that end in '*' below this node

        public bool IsEmpty => _literals.Count == 0 && _any is null && _here.Length == 0 && _rest.Length == 0;

        public void Collect(ReadOnlySpan<char> topic, ref List<Subscription>? found)
        {
            if (topic.IsEmpty)
            {
                Take(_here, ref found);
                return;
            }

            Take(_rest, ref found);
            var dot = topic.IndexOf('.');
            var segment = dot < 0 ? topic : topic[..dot];
            var rest = dot < 0 ? default : topic[(dot + 1)..];
            if (_literals.Count > 0 && _literals.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(segment, out var child))
            {
                child.Collect(rest, ref found);
            }

            _any?.Collect(rest, ref found);
        }

        // All at once, so that a node is copied once however many pass through it.
        public PatternNode With(IReadOnlyCollection<Subscription> added, int depth)
        {
            var node = (PatternNode)MemberwiseClone();
            foreach (var branch in added.GroupBy(s => depth < s.Pattern.Segments.Count ? s.Pattern.Segments[depth] : null))
            {
                if (branch.Key is null)
                {
                    node._here = [.. _here, .. branch];
                }
                else if (branch.Key != "*")
                {
                    node._literals = ReferenceEquals(node._literals, _literals) ? new(_literals) : node._literals;
                    node._literals[branch.Key] = _literals.GetValueOrDefault(branch.Key, Empty).With([.. branch], depth + 1);
                }
                else
                {
                    var last = branch.ToLookup(s => s.Pattern.Segments.Count == depth + 1);
                    node._rest = [.. _rest, .. last[true]];
                    node._any = last[false].Any() ? (_any ?? Empty).With([.. last[false]], depth + 1) : _any;
                }
            }

            return node;
        }

        public (PatternNode Next, bool WasThere) Without(Subscription subscription, int depth)
        {
            var node = (PatternNode)MemberwiseClone();
            var segments = subscription.Pattern.Segments;
            bool wasThere;
            if (depth == segments.Count)
            {
                node._here = [.. _here.Where(s => s != subscription)];
                wasThere = node._here.Length < _here.Length;
            }
            else if (segments[depth] != "*")
            {
                if (!_literals.TryGetValue(segments[depth], out var child))
                {
                    return (this, false);
                }

                (var next, wasThere) = child.Without(subscription, depth + 1);
                node._literals = new(_literals) { [segments[depth]] = next };
                if (next.IsEmpty)
                {
                    node._literals.Remove(segments[depth]);
                }
            }
            else if (depth == segments.Count - 1)
            {
                node._rest = [.. _rest.Where(s => s != subscription)];
                wasThere = node._rest.Length < _rest.Length;
            }
            else
            {
                if (_any is null)
                {
                    return (this, false);
                }

                (var next, wasThere) = _any.Without(subscription, depth + 1);
                node._any = next.IsEmpty ? null : next;
            }

            return (node, wasThere);
        }

        private static void Take(Subscription[] subscriptions, ref List<Subscription>? found)
        {
            if (subscriptions.Length > 0)
            {
                (found ??= []).AddRange(subscriptions);
            }
        }
    }
}
