using System.Collections.Immutable;
using DnsClient;
using DnsClient.Protocol;

namespace ServiceMesh.Http;

/// <summary>Follows the aliases of a name to its records, through one answer or several. Pure: no I/O. For one question.</summary>
internal sealed class AliasChain(string name, QueryType type)
{
    /// <summary>More aliases than this are taken for a mistake.</summary>
    private const int MaxAliases = 16;

    private readonly string _name = name;
    private readonly HashSet<string> _visited = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Where the aliases lead so far.</summary>
    public string End { get; private set; } = name;

    /// <summary>The shortest time to live of the aliases and records on the way.</summary>
    public TimeSpan TimeToLive { get; private set; } = TimeSpan.MaxValue;

    /// <summary>The records at the end of the aliases, in whatever order the answer has them; empty when it has none.</summary>
    /// <exception cref="DnsLookupException">The aliases go in a circle, or are too many.</exception>
    public ImmutableArray<DnsResourceRecord> Follow(IReadOnlyList<DnsResourceRecord> answers)
    {
        while (true)
        {
            ImmutableArray<DnsResourceRecord> records = [.. answers.Where(r => (int)r.RecordType == (int)type && IsAtEnd(r))];
            var alias = records.IsEmpty ? answers.OfType<CNameRecord>().FirstOrDefault(IsAtEnd) : null;
            foreach (var record in alias is null ? records : [alias])
            {
                var timeToLive = TimeSpan.FromSeconds(record.TimeToLive);
                TimeToLive = timeToLive < TimeToLive ? timeToLive : TimeToLive;
            }

            if (alias is null)
            {
                return records;
            }

            if (!_visited.Add(End))
            {
                throw new DnsLookupException($"The aliases of '{_name}' go in a circle at '{End}'.");
            }

            if (_visited.Count > MaxAliases)
            {
                throw new DnsLookupException($"'{_name}' has more than {MaxAliases} aliases.");
            }

            End = alias.CanonicalName.Value;
        }
    }

    private bool IsAtEnd(DnsResourceRecord record) => DnsReply.OwnerOf(record).Equals(End, StringComparison.OrdinalIgnoreCase);
}
