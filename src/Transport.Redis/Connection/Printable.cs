namespace ServiceMesh.Redis;

/// <summary>Texts from outside, made fit for a log line or a message.</summary>
internal static class Printable
{
    private const int Longest = 512;

    /// <summary>One line without control characters, and not longer than a line may be.</summary>
    public static string Line(string text)
    {
        var cut = text.Length <= Longest ? text : string.Concat(text.AsSpan(0, Longest), "…");
        return cut.Any(IsUnfit) ? string.Concat(cut.Select(c => IsUnfit(c) ? '?' : c)) : cut;
    }

    private static bool IsUnfit(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
