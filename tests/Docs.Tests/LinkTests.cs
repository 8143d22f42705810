using System.Text.RegularExpressions;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

public sealed partial class LinkTests
{
    private static IEnumerable<string> DocumentPaths => Repository.Documents.Select(d => d.Path);

    [TestCaseSource(nameof(DocumentPaths))]
    public void Every_relative_link_resolves_with_its_anchor(string path)
    {
        var document = Repository.Documents.Single(d => d.Path == path);
        Assert.That(
            document.Prose.SelectMany(line => Targets(line)).Select(target => ProblemOf(document, target)).OfType<string>(), Is.Empty);
    }

    [Test]
    public void The_architecture_links_to_the_walk_through_the_code()
    {
        var linked = Repository.Documents.Single(d => d.Path == "docs/architecture.md").Prose.SelectMany(line => Targets(line)).ToArray();
        Assert.That(linked.Count(l => l.StartsWith("../src/Core/", StringComparison.Ordinal)), Is.GreaterThan(20));
    }

    [Test]
    public void Every_document_is_reached_from_the_readme()
    {
        var reached = new HashSet<string>();
        var toRead = new Queue<string>(["README.md"]);
        while (toRead.TryDequeue(out var path))
        {
            if (reached.Add(path) && Repository.Documents.FirstOrDefault(d => d.Path == path) is { } document)
            {
                foreach (var target in document.Prose.SelectMany(line => Targets(line)).Where(t => !IsOutside(t)))
                {
                    toRead.Enqueue(PathOf(document, target));
                }
            }
        }

        Assert.That(DocumentPaths.Except(reached), Is.Empty);
    }

    private static IEnumerable<string> Targets(string line) => Link().Matches(line).Select(m => m.Groups[1].Value);

    private static bool IsOutside(string target) => target.Contains("://", StringComparison.Ordinal);

    private static string PathOf(Document document, string target)
    {
        var file = target.Split('#')[0];
        var from = Path.GetDirectoryName(Repository.FullPath(document.Path))!;
        return file.Length == 0 ? document.Path : Path.GetRelativePath(Repository.Root, Path.Combine(from, file)).Replace('\\', '/');
    }

    private static string? ProblemOf(Document document, string target)
    {
        if (IsOutside(target))
        {
            return null;
        }

        var path = PathOf(document, target);
        if (path.StartsWith("..", StringComparison.Ordinal) || !Path.Exists(Repository.FullPath(path)))
        {
            return $"{document.Path} links to '{target}', and {path} does not exist";
        }

        if (target.Split('#') is not [_, var anchor])
        {
            return null;
        }

        var linked = Repository.Documents.FirstOrDefault(d => d.Path == path);
        return linked is not null && linked.Anchors().Contains(anchor)
            ? null
            : $"{document.Path} links to '{target}', and {path} has no such heading";
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
