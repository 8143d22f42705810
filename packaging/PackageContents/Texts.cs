using System.Text.RegularExpressions;

namespace ServiceMesh.Packaging;

/// <summary>Texts of the repository as a package shows them.</summary>
internal static partial class Texts
{
    // A registry takes 35,000 characters.
    private const int MaxReleaseNotes = 30_000;

    /// <summary>A readme without the comments that name the regions of its code.</summary>
    public static string WithoutSnippetNames(string readme) => SnippetName().Replace(readme, "");

    /// <summary>The newest section of the changelog, without its heading.</summary>
    public static string NewestSection(string changelog)
    {
        var begin = changelog.IndexOf("\n## ", StringComparison.Ordinal);
        begin = changelog.IndexOf('\n', begin + 1) + 1;
        var end = changelog.IndexOf("\n## ", begin, StringComparison.Ordinal);
        var section = (end < 0 ? changelog[begin..] : changelog[begin..end]).Trim();
        return section.Length <= MaxReleaseNotes ? section : $"{section.AsSpan(0, MaxReleaseNotes)}…";
    }

    [GeneratedRegex(@"^<!-- snippet: .* -->\n", RegexOptions.Multiline)]
    private static partial Regex SnippetName();
}
