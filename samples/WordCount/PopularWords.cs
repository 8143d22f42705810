using static ServiceMesh.Samples.WordCount.Topics;

namespace ServiceMesh.Samples.WordCount;

/// <summary>
/// The compositions that the client executes. A composition is a value: created once, executed many times, and used in others.
/// </summary>
public static class PopularWords
{
    /// <summary>A text → its three lines.</summary>
    public static readonly Composition<string, string[]> OfText =
        Words | StopFilter | Count | Compose.Parallel(Popular3, Popular4, Popular5) | Compose.Lambda<Popular[], string[]>(Lines);

    /// <summary>A file path or URL → its three lines.</summary>
    public static readonly Composition<string, string[]> OfSource = Fetch | OfText;

    /// <summary>The three lines of all sources together. Fetches four sources at a time.</summary>
    public static Composition<Unit, string[]> OfAll(IEnumerable<string> sources) =>
        Compose.Parallel(4, sources.Select(source => Compose.Lambda((Unit _) => source, source) | Fetch))
        | Compose.Lambda((string[] texts) => string.Join('\n', texts))
        | OfText;

    private static string[] Lines(Popular[] results) =>
        [.. results.Select(r => $"{r.WordLength} letters, {r.Score} times:{List(r.Words)}")];

    private static string List(string[] words) =>
        words.Length == 0 ? "" : $" {string.Join(", ", words.Order(StringComparer.Ordinal))}";
}
