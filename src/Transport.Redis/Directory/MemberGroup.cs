using ServiceMesh.Links;

namespace ServiceMesh.Redis;

/// <summary>
/// The members of one group of a topic, and the choice among them: of two at random the one with the lesser load. While the load
/// is low and answers come quickly, the choice is among the first few only, so that batches form; which those are differs from
/// caller to caller. Thread-safe.
/// </summary>
/// <param name="name">The group's name.</param>
/// <param name="members">In the order of this caller's preference.</param>
/// <param name="random">Chooses.</param>
internal sealed class MemberGroup(string name, Member[] members, Random random)
{
    // So many requests of this caller share one member before the next one is used, as long as it answers within the time below.
    private const int Together = 16;

    private static readonly TimeSpan s_quick = TimeSpan.FromMilliseconds(5);

    public string Name => name;

    public ReadOnlySpan<Member> Members => members;

    /// <summary>The member to ask next; null when all were tried.</summary>
    /// <param name="tried">Those that were asked already; null for none.</param>
    public Member? Pick(List<string>? tried)
    {
        if (tried is null)
        {
            return members.Length == 1 ? members[0] : PickFirst();
        }

        Member? best = null;
        foreach (var member in members)
        {
            if (!tried.Contains(member.Id) && (best is null || member.Link.Load < best.Link.Load))
            {
                best = member;
            }
        }

        return best;
    }

    private Member? PickFirst()
    {
        if (members.Length == 0)
        {
            return null;
        }

        var count = Active();
        var first = random.Next(count);
        if (count == 1)
        {
            return members[first];
        }

        var second = random.Next(count - 1);
        second += second >= first ? 1 : 0;
        return Busier(members[first].Link, members[second].Link) ? members[second] : members[first];
    }

    private int Active()
    {
        var outstanding = 0;
        for (var i = 0; i < members.Length; i++)
        {
            var link = members[i].Link;
            outstanding += link.Outstanding;
            if (outstanding < Together * (i + 1))
            {
                // An unknown member has no latency: then all take part until it is known.
                return link.Latency is { Ticks: > 0 } latency && latency < s_quick ? i + 1 : members.Length;
            }
        }

        return members.Length;
    }

    private static bool Busier(Link one, Link other) => one.Load > other.Load;
}
