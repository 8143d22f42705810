using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>Follows the aliases of one answer to its records. Pure: no I/O.</summary>
internal static class DnsChain
{
    /// <summary>More aliases than this are taken for a mistake.</summary>
    public const int MostAliases = 16;

    /// <summary>Walks from a name to its records, in whatever order the answer has them.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="name">The name to begin with.</param>
    /// <param name="matches">Whether a record is what was asked for.</param>
    /// <param name="visited">The names that were visited: filled, and used to find loops that go through several answers.</param>
    /// <exception cref="DnsFormatException">The aliases go in a circle, or are too many.</exception>
    public static (string Name, ImmutableArray<DnsRecord> Records, TimeSpan TimeToLive) Follow(
        DnsMessage answer, string name, Func<DnsRecord, bool> matches, HashSet<string> visited)
    {
        var timeToLive = TimeSpan.MaxValue;
        while (true)
        {
            if (!visited.Add(name))
            {
                throw new DnsFormatException($"The aliases of '{name}' go in a circle.");
            }

            if (visited.Count > MostAliases + 1)
            {
                throw new DnsFormatException($"There are more than {MostAliases} aliases before '{name}'.");
            }

            var records = answer.Answers.Where(r => matches(r) && DnsName.Comparer.Equals(r.Name, name)).ToImmutableArray();
            if (!records.IsEmpty)
            {
                return (name, records, Least(timeToLive, records.Min(r => r.TimeToLive)));
            }

            if (answer.Answers.OfType<AliasRecord>().FirstOrDefault(r => DnsName.Comparer.Equals(r.Name, name)) is not { } alias)
            {
                return (name, [], timeToLive);
            }

            timeToLive = Least(timeToLive, alias.TimeToLive);
            name = alias.Target;
        }
    }

    /// <summary>How long "there is none" is good (RFC 2308, section 5); null when the answer does not say that.</summary>
    public static TimeSpan? NegativeTimeToLive(DnsMessage answer) =>
        answer.Authority.OfType<AuthorityRecord>().FirstOrDefault() is { } authority ? Least(authority.Minimum, authority.TimeToLive) : null;

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
