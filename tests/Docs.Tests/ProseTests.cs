using System.Text.RegularExpressions;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

public sealed partial class ProseTests
{
    // The only file outside the repository that the README may name: every Debian has it.
    private const string ExampleFile = "/usr/share/common-licenses/GPL-3";

    [Test]
    public void The_readme_begins_with_two_commands_and_then_installs()
    {
        var commands = Repository.Documents.Single(d => d.Path == "README.md").Blocks.Where(b => b.Language == "bash").Select(b => b.Text);
        Assert.That(commands, Is.EqualTo(
            [
                $"dotnet run --project samples/WordCount -- {ExampleFile}",
                "./test.sh",
                "./pack.sh",
            ]));
    }

    [Test]
    public void Every_command_names_an_existing_path()
    {
        // Those of Getting started are run, by tests/Packages.Tests.
        var commands = Repository.Documents.Where(d => d.Path != "docs/getting-started.md")
            .SelectMany(d => d.Blocks).Where(b => b.Language == "bash")
            .SelectMany(b => b.Text.Replace("\\\n", "", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.That(
            commands.Where(c =>
                Command().Match(c) is not { Success: true } match || !Path.Exists(Repository.FullPath(match.Groups[1].Value))),
            Is.Empty);
    }

    [Test]
    public void No_document_names_a_path_of_a_machine_or_a_package_registry()
    {
        var named =
            from document in Repository.Documents
            from line in document.Lines
            let text = line.Replace(ExampleFile, "", StringComparison.Ordinal)
            where MachinePath().IsMatch(text) || RegistryHost().IsMatch(text)
            select $"{document}: {line.Trim()}";
        Assert.That(named, Is.Empty);
    }

    [Test]
    public void Every_decision_has_context_decision_and_consequences()
    {
        var decisions = Repository.Documents.Where(d => DecisionPath().IsMatch(d.Path)).ToArray();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(decisions, Is.Not.Empty);
            for (var i = 0; i < decisions.Length; i++)
            {
                Assert.That(decisions[i].Path, Does.StartWith($"docs/decisions/{i + 1:0000}-"));
                Assert.That(decisions[i].Lines[0], Does.StartWith($"# {i + 1:0000}: "));
                Assert.That(decisions[i].Prose.Select(l => Bold().Match(l).Groups[1].Value).Where(w => w.Length > 0),
                    Is.EqualTo(["Context", "Decision", "Consequences"]), decisions[i].Path);
            }
        }
    }

    [GeneratedRegex(@"^(?:dotnet (?:build|test|pack) |dotnet run (?:-c Release )?--project |)(\S+)")]
    private static partial Regex Command();

    [GeneratedRegex(@"(?<![\w.:/)*`(-])/(?:work|home|root|tmp|Users|mnt|opt|var|etc|usr)/|\b[A-Z]:\\")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"nuget\.org|npmjs\.|pypi\.|proxy\.golang|crates\.io|localhost:\d{4}/v3", RegexOptions.IgnoreCase)]
    private static partial Regex RegistryHost();

    [GeneratedRegex(@"^docs/decisions/\d{4}-")]
    private static partial Regex DecisionPath();

    [GeneratedRegex(@"^\*\*(\w+)\.\*\*")]
    private static partial Regex Bold();
}
