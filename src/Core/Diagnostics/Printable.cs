namespace ServiceMesh;

/// <summary>Texts from outside, made fit for a log line or a message.</summary>
internal static class Printable
{
    private const int MaxLine = 512;

    // A sentence with quoted texts and a number behind them, none of which may be cut off.
    private const int MaxDetail = 4 * MaxLine;

    /// <summary>One line without control characters, and not longer than a line may be.</summary>
    public static string Line(string text) => Line(text, MaxLine);

    /// <summary>The same for a sentence that contains such lines.</summary>
    public static string Detail(string text) => Line(text, MaxDetail);

    private static string Line(string text, int longest)
    {
        var cut = text.Length <= longest ? text : string.Concat(text.AsSpan(0, longest), "…");
        return cut.Any(IsUnfit) ? string.Concat(cut.Select(c => IsUnfit(c) ? '?' : c)) : cut;
    }

    private static bool IsUnfit(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
