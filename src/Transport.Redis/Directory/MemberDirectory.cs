using System.Collections.Concurrent;
using System.Collections.Immutable;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Who is there and what they handle, as far as this node knows: kept by notices, and read from Redis at the start, after a gap,
/// and when no member is known for a request. Readers see immutable groups and never wait. Thread-safe.
/// </summary>
internal sealed class MemberDirectory(DirectoryStore store, LinkSet links, TransportContext context, Action<LinkLoss> onLoss,
    Func<Announcement, bool> canReach, Random random)
{
    // Bounded, because topics of signals come from the application.
    private const int MaxRemembered = 4096;

    private readonly Lock _writing = new();
    private readonly ConcurrentDictionary<string, Member> _members = new();
    private readonly ConcurrentDictionary<string, MemberGroup[]> _requests = new();
    private readonly ConcurrentDictionary<string, MemberGroup[]> _signals = new();

    // By node: when it was last heard of, and with which version it was last found to be gone.
    private readonly ConcurrentDictionary<string, long> _seen = new();
    private readonly ConcurrentDictionary<string, long> _gone = new();
    private readonly ConcurrentDictionary<string, Member> _absent = new();
    private readonly ConcurrentDictionary<string, Task> _reading = new();
    private readonly CoalescedTask _refresh = new();
    private int _signalChanges;

    /// <summary>The other nodes.</summary>
    public IReadOnlyCollection<Member> Members => (IReadOnlyCollection<Member>)_members.Values;

    /// <summary>True when a node is known.</summary>
    public bool Knows(string id) => _members.ContainsKey(id);

    /// <summary>The groups that answer requests on a topic.</summary>
    public MemberGroup[] Requests(string topic) => _requests.GetValueOrDefault(topic, []);

    /// <summary>The groups that receive signals on a topic.</summary>
    public MemberGroup[] SignalGroups(Topic topic)
    {
        var name = topic.ToString();
        return _signals.TryGetValue(name, out var known) ? known : RememberSignals(topic, name);
    }

    /// <summary>Reads all of it. Those that ask while one reading is under way share the next.</summary>
    public Task RefreshAsync() => _refresh.RunAsync(ReadAllAsync);

    /// <summary>Something was published for all nodes.</summary>
    public void OnNotice(ReadOnlyMemory<byte> value)
    {
        if (value.Length > 1 << 20 || DirectoryJson.ReadNotice(value) is not { } notice)
        {
            onLoss(new("malformed-frame", "unknown", store.Notices.ToString(),
                "What was published there is not a notice of the directory."));
        }
        else if (notice.Node != context.NodeId)
        {
            Take(notice);
        }
    }

    /// <summary>True when a node handles the topic that is announced and cannot be reached at the moment.</summary>
    public bool IsAwayFor(Topic topic)
    {
        var pattern = TopicPattern.From(topic);
        foreach (var (_, member) in _absent)
        {
            if (!member.State.IsDraining && member.Offers.Any(o => o.Kind == MessageKind.Request && o.Pattern.Equals(pattern)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A node turned out not to be there. It counts again when it is heard of.</summary>
    public void Absent(string id)
    {
        lock (_writing)
        {
            if (_members.TryGetValue(id, out var member))
            {
                _gone[id] = member.State.Version;
                _absent[id] = member;
                Remove(id);
            }
        }
    }

    /// <summary>Forgets nodes that have not been heard of for a lifetime.</summary>
    public void Age(long now)
    {
        foreach (var (id, seen) in _seen)
        {
            if (context.Clock.GetElapsedTime(seen, now) > DirectoryStore.Lifetime)
            {
                _seen.TryRemove(id, out _);
                _gone.TryRemove(id, out _);
                _absent.TryRemove(id, out _);
                if (Remove(id))
                {
                    links.Departed(id);
                }
            }
        }
    }

    private void Take(DirectoryNotice notice)
    {
        if (notice.IsGone)
        {
            _gone[notice.Node] = long.MaxValue;
            _absent.TryRemove(notice.Node, out _);
            Remove(notice.Node);
            links.Departed(notice.Node);
            return;
        }

        _gone.TryRemove(notice.Node, out _);
        _seen[notice.Node] = context.Clock.GetTimestamp();
        var known = _members.GetValueOrDefault(notice.Node);
        if (known is not null && known.State.Version >= notice.Version)
        {
            Acknowledge(known);
        }
        else if (known is not null && notice.From == known.State.Version && TryApply(known, notice))
        {
            Acknowledge(_members[notice.Node]);
        }
        else
        {
            // A node announces all of itself after a gap, in which it may have lost what was on its way.
            known?.Link.AskForAll();
            _ = ReadOneAsync(notice.Node);
        }
    }

    private static void Acknowledge(Member member) => member.Link.Applied(member.State.Version);

    private bool TryApply(Member known, DirectoryNotice notice)
    {
        var (added, removed) = (new List<Offer>(), new List<Offer>());
        foreach (var (texts, offers) in (ReadOnlySpan<(IReadOnlyList<string>?, List<Offer>)>)[(notice.Added, added), (notice.Removed,
            removed)])
        {
            foreach (var text in texts ?? [])
            {
                if (!Offer.TryRead(text, out var offer))
                {
                    return false;
                }

                offers.Add(offer);
            }
        }

        var next = known.Offers.Except(removed).Union(added);
        Set(known with { State = known.State with { Version = notice.Version, Count = next.Count }, Offers = next }, [.. added,
            .. removed]);
        return true;
    }

    // One reading of a node at a time; a notice that comes meanwhile is newer and asks again.
    private Task ReadOneAsync(string id) => _reading.AddOrUpdate(id, _ => ReadAsync(id), (_, before) => before.IsCompleted
        ? ReadAsync(id) : AfterAsync(before, id));

    private async Task AfterAsync(Task before, string id)
    {
        await before.ConfigureAwait(false);
        await ReadAsync(id).ConfigureAwait(false);
    }

    private async Task ReadAsync(string id)
    {
        try
        {
            if (await store.ReadAsync(id).ConfigureAwait(false) is var (announced, state, offers))
            {
                if (!canReach(announced))
                {
                    return;
                }

                var known = _members.GetValueOrDefault(id);
                if (known is null || known.State.Version < state.Version)
                {
                    Set(new(announced, state, [.. offers], links.To(id)));
                }

                if (_members.TryGetValue(id, out var member))
                {
                    Acknowledge(member);
                }
            }
        }
        catch (RedisServerException failure)
        {
            // A key of another type, for instance.
            onLoss(new("unreadable-member", id, "directory", $"{id}: {failure.Message}"));
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // The next notice of the node asks again.
        }
        finally
        {
            _reading.TryRemove(id, out _);
        }
    }

    private async Task ReadAllAsync()
    {
        var ids = await store.ListAsync().ConfigureAwait(false);
        await Task.WhenAll(ids.Where(id => id != context.NodeId).Select(LookAsync)).ConfigureAwait(false);
    }

    private async Task LookAsync(string id)
    {
        EntryState? state;
        try
        {
            state = await store.ReadStateAsync(id).ConfigureAwait(false);
        }
        catch (RedisServerException failure)
        {
            onLoss(new("unreadable-member", id, "directory", $"{id}: {failure.Message}"));
            return;
        }

        if (state is not { } head)
        {
            onLoss(new("unreadable-member", id, "directory",
                $"{id}: what is announced there is not a node, or has other keys (Redis:Keys)."));
            return;
        }

        if ((_gone.TryGetValue(id, out var gone) && gone >= head.Version)
            || (_members.TryGetValue(id, out var known) && known.State.Version >= head.Version))
        {
            return;
        }

        _seen[id] = context.Clock.GetTimestamp();
        await ReadOneAsync(id).ConfigureAwait(false);
    }

    /// <summary>Puts a member, this node itself included, in the place of what was known of it.</summary>
    /// <param name="member">What is known now.</param>
    /// <param name="touched">What differs; null to compare everything.</param>
    public void Set(Member member, IReadOnlyCollection<Offer>? touched = null)
    {
        lock (_writing)
        {
            var before = _members.GetValueOrDefault(member.Id);
            if (before is not null && before.State.Version > member.State.Version)
            {
                return;
            }

            _members[member.Id] = member;
            IndexNeedsLock(before, member, touched);
            _absent.TryRemove(member.Id, out _); // last: it is in one of the two at any time
        }
    }

    private bool Remove(string id)
    {
        lock (_writing)
        {
            if (!_members.TryRemove(id, out var before))
            {
                return false;
            }

            IndexNeedsLock(before, null, null);
            return true;
        }
    }

    // A draining node handles nothing for others but what the bus itself answers.
    private static bool Handles(Member? member, Offer offer) => member is not null && member.Offers.Contains(offer)
        && (!member.State.IsDraining || ReservedTopics.IsReserved(offer.Pattern));

    private void IndexNeedsLock(Member? before, Member? after, IReadOnlyCollection<Offer>? touched)
    {
        touched ??= (before?.Offers ?? []).Union(after?.Offers ?? []);
        var id = (before ?? after)!.Id;
        var signals = false;
        foreach (var offer in touched)
        {
            if (offer.Kind == MessageKind.Signal)
            {
                signals |= offer.Group is not null && Handles(before, offer) != Handles(after, offer);
            }
            else if (Handles(before, offer) != Handles(after, offer))
            {
                IndexRequestNeedsLock(offer, id, Handles(after, offer) ? after : null);
            }
        }

        if (signals)
        {
            _signalChanges++;
            _signals.Clear();
        }
    }

    private void IndexRequestNeedsLock(Offer offer, string id, Member? member)
    {
        var topic = offer.Pattern.ToString();
        var groups = _requests.GetValueOrDefault(topic, []);
        var group = Array.Find(groups, g => g.Name == offer.Group);
        Member[] others = group is null ? [] : [.. group.Members.ToArray().Where(m => m.Id != id)];
        MemberGroup[] rest = [.. groups.Where(g => g.Name != offer.Group)];
        MemberGroup[] next = member is not null ? [.. rest, GroupOf(offer.Group!, [.. others, member])]
            : others.Length > 0 ? [.. rest, GroupOf(offer.Group!, others)]
            : rest;
        if (next.Length == 0)
        {
            _requests.TryRemove(topic, out _);
        }
        else
        {
            _requests[topic] = next;
        }
    }

    private MemberGroup[] RememberSignals(Topic topic, string name)
    {
        var changes = Volatile.Read(ref _signalChanges);
        var groups = new Dictionary<string, List<Member>>();
        foreach (var member in _members.Values)
        {
            foreach (var offer in member.Offers)
            {
                if (offer is { Kind: MessageKind.Signal, Group: { } group } && Handles(member, offer) && Matches(offer.Pattern, topic))
                {
                    var list = groups.TryGetValue(group, out var members) ? members : groups[group] = [];
                    if (!list.Contains(member))
                    {
                        list.Add(member);
                    }
                }
            }
        }

        MemberGroup[] found = [.. groups.Select(g => GroupOf(g.Key, [.. g.Value]))];
        lock (_writing)
        {
            if (changes == _signalChanges)
            {
                if (_signals.Count >= MaxRemembered)
                {
                    _signals.Clear();
                }

                _signals[name] = found;
            }
        }

        return found;
    }

    // '*' stands for the application's topics: who wants the bus's own says so.
    private static bool Matches(TopicPattern pattern, Topic topic) => pattern.Matches(topic)
        && (!ReservedTopics.IsReserved(topic) || ReservedTopics.IsReserved(pattern));

    // Each caller prefers other members, so that few callers use few members and many callers use all.
    private MemberGroup GroupOf(string name, Member[] members)
    {
        Array.Sort(members, (a, b) => Preference(a.Id).CompareTo(Preference(b.Id)));
        return new(name, members, random);
    }

    private int Preference(string id) => HashCode.Combine(context.NodeId, id);
}
