using Microsoft.Extensions.Configuration;

namespace ServiceMesh;

/// <summary>Finds the keys of a section that no options class has, and the known key that is nearest to each.</summary>
internal static class UnknownKeys
{
    /// <summary>A sentence for each key below the section that is not among the known ones.</summary>
    /// <param name="section">The section; null for none.</param>
    /// <param name="known">The keys, as <see cref="OptionsSchema.Keys"/> has them.</param>
    public static IEnumerable<string> In(IConfiguration? section, IEnumerable<string> known) =>
        section is null ? [] : In(section, [], [.. known.Select(k => k.Split(':'))]);

    /// <summary>The candidate that differs least, when it differs little enough to be a slip; null when none does.</summary>
    public static string? Nearest(string text, IEnumerable<string> candidates)
    {
        var best = candidates.Select(c => (Text: c, Distance: Distance(text, c))).DefaultIfEmpty().MinBy(c => c.Distance);
        if (best.Text is null)
        {
            return null;
        }

        var isSlip = best.Distance <= Math.Max(2, text.Length / 3);
        var isBeginning = text.Length > 1 && best.Text.StartsWith(text, StringComparison.OrdinalIgnoreCase);
        return isSlip || isBeginning ? best.Text : null;
    }

    private static IEnumerable<string> In(IConfiguration level, string[] path, string[][] known)
    {
        foreach (var child in level.GetChildren())
        {
            string[] here = [.. path, child.Key];
            var below = Below(known, here);
            string[] inside = [.. NamesAfter(here, below)];
            var hasKeys = child.GetChildren().Any();
            if (below.Length == 0)
            {
                yield return Unknown(child, [.. NamesAfter(path, Below(known, path))]);
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
                foreach (var problem in In(child, here, below))
                {
                    yield return problem;
                }
            }
        }
    }

    // The known keys that begin with a path; '*' stands for a name that the user chooses.
    private static string[][] Below(string[][] known, string[] path) =>
        [.. known.Where(k => k.Length >= path.Length && k.Zip(path).All(p => Matches(p.First, p.Second)))];

    private static bool Matches(string known, string written) =>
        known == OptionsSchema.AnyName || known.Equals(written, StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<string> NamesAfter(string[] path, string[][] known) =>
        known.Where(k => k.Length > path.Length).Select(k => k[path.Length]).Distinct();

    private static string Unknown(IConfigurationSection key, string[] siblings)
    {
        var known = $"Known here are: {string.Join(", ", siblings)}.";
        if (Nearest(key.Key, siblings) is { } near)
        {
            return $"{key.Path} is not a known key. Did you mean '{near}'? {known}";
        }

        var transport = key.Key is "Redis" or "Http"
            ? $" The section of a transport is known once Add{key.Key}Transport() has been called."
            : "";
        return $"{key.Path} is not a known key. {known}{transport}";
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
