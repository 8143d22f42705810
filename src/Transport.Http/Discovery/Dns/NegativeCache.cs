namespace ServiceMesh.Http;

/// <summary>Remembers what does not exist, for as long as its zone says (RFC 2308), at most five minutes. Thread-safe.</summary>
internal sealed class NegativeCache(TimeProvider clock)
{
    private const int MostEntries = 1000;
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string, DnsType), (bool NameExists, DateTimeOffset Until)> _entries = [];

    public void Add(DnsQuestion question, bool nameExists, TimeSpan timeToLive)
    {
        var now = clock.GetUtcNow();
        lock (_lock)
        {
            if (_entries.Count >= MostEntries)
            {
                // Names that are made up by the thousand must not fill the memory; being asked for again is all that they lose.
                _entries.Clear();
            }

            _entries[Key(question)] = (nameExists, now + (timeToLive < s_longest ? timeToLive : s_longest));
        }
    }

    /// <summary>Whether the name exists though it has no such records, and how long that still holds; null when it is not known.</summary>
    public (bool NameExists, TimeSpan TimeToLive)? Find(DnsQuestion question)
    {
        var now = clock.GetUtcNow();
        lock (_lock)
        {
            if (!_entries.TryGetValue(Key(question), out var entry))
            {
                return null;
            }

            if (entry.Until > now)
            {
                return (entry.NameExists, entry.Until - now);
            }

            _entries.Remove(Key(question));
            return null;
        }
    }

    private static (string, DnsType) Key(DnsQuestion question) => (question.Name.ToUpperInvariant(), question.Type);
}
