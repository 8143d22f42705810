using System.Text.RegularExpressions;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

/// <summary>Code in documents is compiled code. With UPDATE_SNIPPETS=1 the regions are copied into the documents first.</summary>
public sealed partial class SnippetTests
{
    private static readonly string[] s_languages = ["csharp", "json", "bash", "text", "mermaid"];

    private static IEnumerable<Block> CSharp => Repository.Documents.SelectMany(d => d.Blocks).Where(b => b.Language == "csharp");

    [Test]
    public void Every_csharp_block_equals_the_compiled_region_that_it_names()
    {
        if (Environment.GetEnvironmentVariable("UPDATE_SNIPPETS") == "1")
        {
            Update();
            Assert.Inconclusive("The documents were updated; run again without UPDATE_SNIPPETS.");
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(CSharp, Is.Not.Empty);
            foreach (var block in CSharp)
            {
                Assert.That(
                    block.Comment, Does.Match(SnippetComment()),
                    $"{block} needs a comment 'snippet: FILE#REGION', or 'snippet: FILE', right above it");
                if (Region(block.Comment) is var (file, name, text))
                {
                    Assert.That(text, Is.Not.Null, $"{block}: {file} has no region '{name}'");
                    Assert.That(block.Text, Is.EqualTo(text), $"{block} differs from {file}#{name}");
                }
            }
        }
    }

    [Test]
    public void The_files_of_code_blocks_are_part_of_the_solution()
    {
        var projects = File.ReadAllText(Repository.FullPath("ServiceMesh.sln"));
        foreach (var file in CSharp.Select(b => Region(b.Comment)?.File).OfType<string>().Distinct())
        {
            if (file.StartsWith("templates/", StringComparison.Ordinal))
            {
                continue; // built by tests/Packages.Tests, as a user builds them
            }

            var folders = file.Split('/')[..^1];
            var above = Enumerable.Range(1, folders.Length).Select(count => $"{string.Join('\\', folders[..count])}\\");
            Assert.That(
                above.Any(folder => ProjectIn(folder).IsMatch(projects)), Is.True, $"{file} is compiled by no project of the solution");
        }
    }

    [Test]
    public void Every_region_of_the_snippets_is_shown_in_a_document()
    {
        var shown = CSharp.Select(b => b.Comment!.Replace("snippet: ", "", StringComparison.Ordinal))
            .Concat(CodeReferences().Select(r => $"{r.File}#{r.Region}"));
        var regions = Repository.Sources.Where(f => f.StartsWith("samples/Snippets/", StringComparison.Ordinal))
            .SelectMany(f => CodeText.Regions(f).Keys.Select(r => $"{f}#{r}"));
        Assert.That(regions.Except(shown), Is.Empty);
    }

    [Test]
    public void Every_code_reference_of_the_xml_docs_resolves()
    {
        var references = CodeReferences().ToArray();
        Assert.That(references, Is.Not.Empty);
        Assert.That(
            references.Where(r => !File.Exists(Repository.FullPath(r.File)) || !CodeText.Regions(r.File).ContainsKey(r.Region)),
            Is.Empty);
    }

    [Test]
    public void Every_document_that_the_xml_docs_name_exists()
    {
        var named = SourcesOfLibraries()
            .SelectMany(f => DocumentName().Matches(File.ReadAllText(Repository.FullPath(f)))).Select(m => m.Value).Distinct();
        Assert.That(named.Where(d => !File.Exists(Repository.FullPath(d))), Is.Empty);
    }

    [Test]
    public void Every_block_has_a_language() =>
        Assert.That(Repository.Documents.SelectMany(d => d.Blocks).Where(b => !s_languages.Contains(b.Language)), Is.Empty);

    private static Regex ProjectIn(string folder) => new($@"""{Regex.Escape(folder)}[^\\""]+\.csproj""");

    private static IEnumerable<string> SourcesOfLibraries() =>
        Repository.Sources.Where(f => f.StartsWith("src/", StringComparison.Ordinal));

    private static IEnumerable<(string From, string File, string Region)> CodeReferences() =>
        from file in SourcesOfLibraries()
        from match in CodeReference().Matches(File.ReadAllText(Repository.FullPath(file)))
        select (file, match.Groups[1].Value, match.Groups[2].Value);

    private static (string File, string Name, string? Text)? Region(string? comment)
    {
        var match = SnippetComment().Match(comment ?? "");
        if (!match.Success)
        {
            return null;
        }

        var (file, name) = (match.Groups[1].Value, match.Groups[2].Value);
        var text = !File.Exists(Repository.FullPath(file)) ? null
            : name.Length > 0 ? CodeText.Regions(file).GetValueOrDefault(name)
            : File.ReadAllText(Repository.FullPath(file)).Trim('\n');
        return (file, name, text);
    }

    private static void Update()
    {
        foreach (var document in Repository.Documents)
        {
            var lines = document.Lines.ToList();
            foreach (var block in document.Blocks.Reverse())
            {
                if (Region(block.Comment)?.Text is { } text)
                {
                    var end = lines.FindIndex(block.Line, l => l.Trim() == "```");
                    lines.RemoveRange(block.Line, end - block.Line);
                    lines.InsertRange(block.Line, text.Split('\n'));
                }
            }

            if (!lines.SequenceEqual(document.Lines))
            {
                File.WriteAllText(Repository.FullPath(document.Path), string.Join('\n', lines) + "\n");
            }
        }
    }

    [GeneratedRegex(@"^snippet: ([^\s#]+)(?:#(\S+))?$")]
    private static partial Regex SnippetComment();

    [GeneratedRegex("""<code source="([^"]+)" region="([^"]+)" ?/>""")]
    private static partial Regex CodeReference();

    [GeneratedRegex(@"docs/[a-z0-9/-]+\.md")]
    private static partial Regex DocumentName();
}
