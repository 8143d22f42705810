using System.Text.RegularExpressions;

namespace ServiceMesh.Docs.Tests;

/// <summary>The repository that these tests were built from, and its documents and sources.</summary>
internal static class Repository
{
    private static readonly string[] s_notOurs = ["bin", "obj", "artifacts", "TestResults", ".git", "node_modules"];

    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<Document> Documents { get; } = [.. Files("*.md").Select(path => new Document(path))];

    public static IEnumerable<string> Sources => Files("*.cs");

    public static string FullPath(string relative) => Path.Combine(Root, relative);

    /// <summary>Paths below the root that git would keep, with <c>/</c> between folders.</summary>
    public static IEnumerable<string> Files(string pattern) => Directory
        .EnumerateFiles(Root, pattern, SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
        .Where(path => !path.Split('/').Any(s_notOurs.Contains))
        .Order(StringComparer.Ordinal);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ServiceMesh.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("These tests read the repository's documents and must run inside it.");
    }
}

/// <summary>A fenced block of a document, with the comment above it.</summary>
internal sealed record Block(string Document, int Line, string Language, string Text, string? Comment)
{
    public override string ToString() => $"{Document}:{Line} ({Language})";
}

/// <summary>One Markdown file, split into fenced blocks and the prose around them.</summary>
internal sealed partial class Document
{
    public Document(string path)
    {
        Path = path;
        Lines = File.ReadAllLines(Repository.FullPath(path));
        var prose = new List<string>();
        var blocks = new List<Block>();
        for (var i = 0; i < Lines.Length; i++)
        {
            if (!Lines[i].TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                prose.Add(Lines[i]);
                continue;
            }

            var first = i + 1;
            var language = Lines[i].Trim()[3..];
            do
            {
                i++;
            }
            while (i < Lines.Length && Lines[i].Trim() != "```");

            var comment = first >= 2 ? CommentLine().Match(Lines[first - 2]) : Match.Empty;
            blocks.Add(new(path, first, language, CodeText.Dedent(Lines[first..i]), comment.Success ? comment.Groups[1].Value : null));
        }

        Prose = prose;
        Blocks = blocks;
    }

    public string Path { get; }

    public string[] Lines { get; }

    public IReadOnlyList<string> Prose { get; }

    public IReadOnlyList<Block> Blocks { get; }

    /// <summary>The rows of the table with this first header cell, each as its cells; the header row is first.</summary>
    public IReadOnlyList<string[]> Table(string firstHeader, string? section = null)
    {
        var lines = section is null
            ? Prose
            : [.. Prose.SkipWhile(l => l != section).Skip(1).TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal))];
        var rows = lines
            .SkipWhile(l => !l.StartsWith($"| {firstHeader} |", StringComparison.Ordinal))
            .TakeWhile(l => l.StartsWith('|'))
            .Select(l => CellBorder().Split(l.Trim().Trim('|')).Select(c => c.Trim()).ToArray())
            .ToArray();
        return rows.Length > 2
            ? [rows[0], .. rows[2..]]
            : throw new InvalidOperationException($"{Path} has no table that begins with '{firstHeader}'.");
    }

    /// <summary>The anchors of the headings, as GitHub generates them.</summary>
    public IReadOnlySet<string> Anchors()
    {
        var anchors = new HashSet<string>();
        foreach (var heading in Prose.Where(l => l.StartsWith('#')))
        {
            var text = LinkOnly().Replace(heading.TrimStart('#').Trim(), "$1").Replace("`", "", StringComparison.Ordinal);
#pragma warning disable CA1308 // Anchors are lower case.
            var anchor = string.Concat(
                text.ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');
#pragma warning restore CA1308
            for (var n = 0; !anchors.Add(n == 0 ? anchor : $"{anchor}-{n}"); n++)
            {
            }
        }

        return anchors;
    }

    public override string ToString() => Path;

    [GeneratedRegex(@"^\s*<!-- (.*) -->\s*$")]
    private static partial Regex CommentLine();

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex CellBorder();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkOnly();
}

/// <summary>Code without its common indentation, so that a region and a block can be compared.</summary>
internal static class CodeText
{
    public static string Dedent(IReadOnlyList<string> lines)
    {
        var margin = lines.Where(l => l.Trim().Length > 0).Select(l => l.Length - l.TrimStart().Length).DefaultIfEmpty().Min();
        return string.Join('\n', lines.Select(l => l.Length >= margin ? l[margin..].TrimEnd() : "")).Trim('\n');
    }

    /// <summary>The named regions of a source file.</summary>
    public static IReadOnlyDictionary<string, string> Regions(string path)
    {
        var regions = new Dictionary<string, string>();
        var open = new Stack<(string Name, List<string> Lines)>();
        foreach (var line in File.ReadLines(Repository.FullPath(path)))
        {
            var text = line.Trim();
            if (text.StartsWith("#region ", StringComparison.Ordinal))
            {
                open.Push((text["#region ".Length..].Trim(), []));
            }
            else if (text.StartsWith("#endregion", StringComparison.Ordinal))
            {
                var (name, lines) = open.Pop();
                regions.Add(name, Dedent(lines));
            }
            else
            {
                foreach (var (_, lines) in open)
                {
                    lines.Add(line);
                }
            }
        }

        return regions;
    }
}
