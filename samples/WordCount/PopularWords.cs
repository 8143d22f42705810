using static ServiceMesh.Samples.WordCount.Topics;

namespace ServiceMesh.Samples.WordCount;

/// <summary>What the client executes. Compositions are values: made once, executed as often as you like, part of others.</summary>
public static class PopularWords
{
    /// <summary>A text → its three lines.</summary>
    public static readonly Composition<string, string[]> OfText =
        Words | StopFilter | Count | Compose.Parallel(Popular3, Popular4, Popular5) | Compose.Lambda<Popular[], string[]>(Lines);

    /// <summary>A file path or URL → its three lines.</summary>
    public static readonly Composition<string, string[]> OfSource = Fetch | OfText;

    /// <summary>All of these together → their three lines. Fetches four at a time.</summary>
    public static Composition<Unit, string[]> OfAll(IEnumerable<string> sources) =>
        Compose.Parallel(4, sources.Select(source => Compose.Lambda((Unit _) => source, source) | Fetch))
        | Compose.Lambda((string[] texts) => string.Join('\n', texts))
        | OfText;

    private static string[] Lines(Popular[] results) =>
        [.. results.Select(r => $"{r.WordLength} letters, {r.Score} times:{List(r.Words)}")];

    private static string List(string[] words) =>
        words.Length == 0 ? "" : $" {string.Join(", ", words.Order(StringComparer.Ordinal))}";
}
