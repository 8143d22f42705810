namespace ServiceMesh;

/// <summary>Texts from outside, made fit for a log line or a message.</summary>
internal static class Printable
{
    private const int MaxLine = 512;

    // A sentence with quoted texts and a number behind them, none of which may be cut off.
    private const int MaxDetail = 4 * MaxLine;

    // What the platform begins the lines of an exception with, behind its first line.
    private static readonly string[] s_stack = ["   at ", " ---> ", "   --- End of inner ", "--- End of stack trace "];

    /// <summary>One line without control characters, and not longer than a line may be.</summary>
    public static string Line(string text) => Line(text, MaxLine);

    /// <summary>The same for a sentence that contains such lines.</summary>
    public static string Detail(string text) => Line(text, MaxDetail);

    /// <summary>The same without a limit, for a line that is complete.</summary>
    public static string Whole(string text) => IsFit(text) ? text : string.Concat(text.Select(c => IsUnfit(c) ? '?' : c));

    /// <summary>True for a text without control characters.</summary>
    public static bool IsFit(string text) => !text.Any(IsUnfit);

    /// <summary>True for an exception's text or stack whose lines are all those of a stack, but for the first.</summary>
    public static bool IsFitStack(string? text)
    {
        if (text is null)
        {
            return true;
        }

        var isFirst = true;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan(range).TrimEnd('\r');
            if (!isFirst && !line.IsEmpty && !BeginsStackLine(line))
            {
                return false;
            }

            foreach (var c in line)
            {
                if (IsUnfit(c))
                {
                    return false;
                }
            }

            isFirst = false;
        }

        return true;
    }

    private static bool BeginsStackLine(ReadOnlySpan<char> line)
    {
        foreach (var beginning in s_stack)
        {
            if (line.StartsWith(beginning, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static string Line(string text, int longest) =>
        Whole(text.Length <= longest ? text : string.Concat(text.AsSpan(0, longest), "…"));

    private static bool IsUnfit(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
