using Microsoft.Extensions.Configuration;

namespace ServiceMesh;

/// <summary>The keys of the configuration section. A test compares them with the options classes.</summary>
internal static class KnownKeys
{
    public static readonly IReadOnlyList<string> Core =
    [
        "Transport", "NodeName", "Serializer", "ErrorPolicy", "DrainTimeout",
        "Request:Timeout", "Request:MaxBodyBytes",
        "Handler:Timeout", "Handler:MaxConcurrency", "Handler:MaxQueued",
        "Errors:MaxDataBytes", "Errors:QueueCapacity", "Errors:QueueFile",
    ];

    /// <summary>A complaint for each key below the section that neither Core nor an added part knows.</summary>
    public static IEnumerable<string> Unknown(IConfiguration? section, IEnumerable<SectionKeys> parts) =>
        Unknown(section, [.. Core, .. parts.SelectMany(p => p.Keys.Select(k => $"{p.Name}:{k}"))]);

    /// <summary>A complaint for each key below the section that is not among these.</summary>
    public static IEnumerable<string> Unknown(IConfiguration? section, IEnumerable<string> known) =>
        section is null ? [] : Walk(section, [], [.. known.Select(k => k.Split(':'))]);

    /// <summary>The candidate that differs least, when it differs little enough to be a slip.</summary>
    public static string? Nearest(string text, IEnumerable<string> candidates)
    {
        var best = candidates.Select(c => (Text: c, Distance: Distance(text, c))).DefaultIfEmpty().MinBy(c => c.Distance);
        // A slip of a few letters, or the beginning of the word.
        return best.Text is not null && (best.Distance <= Math.Max(2, text.Length / 3) || (text.Length > 1 && best.Text.StartsWith(text, StringComparison.OrdinalIgnoreCase)))
            ? best.Text
            : null;
    }

    private static IEnumerable<string> Walk(IConfiguration level, string[] path, string[][] known)
    {
        foreach (var child in level.GetChildren())
        {
            string[] here = [.. path, child.Key];
            var below = Below(known, here);
            string[] inside = [.. below.Where(k => k.Length > here.Length).Select(k => k[here.Length]).Distinct()];
            var hasKeys = child.GetChildren().Any();
            if (below.Length == 0)
            {
                yield return Complain(child, [.. Below(known, path).Where(k => k.Length > path.Length).Select(k => k[path.Length]).Distinct()]);
            }
            else if (hasKeys && inside.Length == 0)
            {
                yield return $"{child.Path} is one value and has no keys below it.";
            }
            else if (!hasKeys && inside.Length > 0 && !string.IsNullOrEmpty(child.Value))
            {
                yield return $"{child.Path} is a section and not one value. Known in it are: {string.Join(", ", inside)}.";
            }
            else
            {
                foreach (var complaint in Walk(child, here, below))
                {
                    yield return complaint;
                }
            }
        }
    }

    // The known keys that begin with a path; '*' stands for a name that the user chooses.
    private static string[][] Below(string[][] known, string[] path) =>
        [.. known.Where(k => k.Length >= path.Length && k.Zip(path).All(p => p.First == "*" || p.First.Equals(p.Second, StringComparison.OrdinalIgnoreCase)))];

    private static string Complain(IConfigurationSection unknown, string[] siblings)
    {
        if (Nearest(unknown.Key, siblings) is { } near)
        {
            return $"{unknown.Path} is not a known key. Did you mean '{near}'? Known here are: {string.Join(", ", siblings)}.";
        }

        var transport = unknown.Key is "Redis" or "Http" ? $" The section of a transport is known once Add{unknown.Key}Transport() has been called." : "";
        return $"{unknown.Path} is not a known key. Known here are: {string.Join(", ", siblings)}.{transport}";
    }

    // Levenshtein (1965), one row at a time, ignoring case.
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var change = diagonal + (char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
