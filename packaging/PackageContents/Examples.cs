using System.Security;
using System.Text.RegularExpressions;

namespace ServiceMesh.Packaging;

/// <summary>
/// The examples of a documentation file: the sources name a region of a compiled file, and an editor shows only what is in the file.
/// </summary>
internal static partial class Examples
{
    /// <summary>The documentation with the code of each region in the place of its name.</summary>
    /// <exception cref="InvalidOperationException">A region does not exist.</exception>
    public static string Written(string documentation, string repository) => Reference().Replace(documentation, match =>
        $"<code>\n{SecurityElement.Escape(Region(Path.Combine(repository, match.Groups[1].Value), match.Groups[2].Value))}\n</code>");

    private static string Region(string file, string name)
    {
        var lines = File.ReadAllLines(file);
        var begin = Array.FindIndex(lines, line => line.Trim() == $"#region {name}");
        if (begin < 0)
        {
            throw new InvalidOperationException($"{file} does not have a region '{name}'.");
        }

        // Regions may be nested.
        var (end, depth) = (begin + 1, 1);
        while ((depth += Step(lines[end])) > 0)
        {
            end++;
        }

        var code = lines[(begin + 1)..end].Where(line => Step(line) == 0).ToArray();
        var margin = code.Where(line => line.Trim().Length > 0)
            .Select(line => line.Length - line.TrimStart().Length).DefaultIfEmpty().Min();
        return string.Join('\n', code.Select(line => line.Length > margin ? line[margin..] : "")).Trim('\n');
    }

    private static int Step(string line) => line.TrimStart() switch
    {
        var text when text.StartsWith("#region", StringComparison.Ordinal) => 1,
        var text when text.StartsWith("#endregion", StringComparison.Ordinal) => -1,
        _ => 0,
    };

    [GeneratedRegex("""<code source="([^"]+)" region="([^"]+)" ?/>""")]
    private static partial Regex Reference();
}
