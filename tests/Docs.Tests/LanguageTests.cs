using System.Text.RegularExpressions;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

/// <summary>
/// Plain English and readable lines in sources and documents. Phrases with a word of the old dialect that are plain English
/// stand in <c>tests/Docs.Tests/Language/real-uses.txt</c>, one per line.
/// </summary>
public sealed partial class LanguageTests
{
    private const int MaxLine = 140;
    private const int MaxTestName = 80;

    private static readonly string[] s_kinds = ["*.cs", "*.md", "*.sh", "*.csproj", "*.props"];
    private static readonly string[] s_realUses = File.ReadAllLines(Repository.FullPath("tests/Docs.Tests/Language/real-uses.txt"));

    // This file and the guide for contributors contain the forbidden words as examples.
    private static readonly string[] s_namesTheWords = ["tests/Docs.Tests/LanguageTests.cs", "CONTRIBUTING.md"];

    private static IEnumerable<string> Files => s_kinds.SelectMany(Repository.Files).Order(StringComparer.Ordinal);

    [Test]
    public void Lines_have_at_most_140_characters() => Check(IsTooLong);

    [Test]
    public void Sources_and_documents_avoid_the_words_of_the_old_dialect() =>
        Check((file, line) => !s_namesTheWords.Contains(file) && Dialect().IsMatch(WithoutRealUses(line)));

    [Test]
    public void Test_names_have_at_most_80_characters() => Check((file, line) =>
        file.StartsWith("tests/", StringComparison.Ordinal)
        && TestName().Match(line) is { Success: true } name && name.Groups[1].Length > MaxTestName);

    [TestCase("Ask whoever is there.", true)]
    [TestCase("It does not wait any more.", true)]
    [TestCase("That is no answer.", true)]
    [TestCase("The file is no longer open.", false)]
    [TestCase("We recommend a commander.", false)]
    public void A_sentence_of_the_old_dialect_is_recognized(string sentence, bool isDialect) =>
        Assert.That(Dialect().IsMatch(WithoutRealUses(sentence)), Is.EqualTo(isDialect));

    [TestCase(140, false)]
    [TestCase(141, true)]
    public void A_line_beyond_140_characters_is_recognized(int length, bool isTooLong)
    {
        Assert.That(IsTooLong("a.cs", new string('x', length)), Is.EqualTo(isTooLong));
        Assert.That(IsTooLong("a.md", $"| {new string('x', length)}"), Is.False, "a row of a table cannot be broken");
    }

    private static bool IsTooLong(string file, string line) =>
        line.Length > MaxLine && !(file.EndsWith(".md", StringComparison.Ordinal) && line.TrimStart().StartsWith('|'));

    private static string WithoutRealUses(string line) =>
        s_realUses.Where(u => u.Length > 0).Aggregate(line, (text, use) => text.Replace(use, "", StringComparison.OrdinalIgnoreCase));

    private static void Check(Func<string, string, bool> breaksTheRule) => Assert.That(
        from file in Files
        from line in File.ReadLines(Repository.FullPath(file)).Index()
        where breaksTheRule(file, line.Item)
        select $"{file}:{line.Index + 1}",
        Is.Empty, "these lines break the rule");

    [GeneratedRegex(@"\b(?:whoever|nobody|somebody|everybody|any more|of late|mend|mends|mended|is no)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Dialect();

    [GeneratedRegex(@"^\s*public (?:async )?(?:void|Task|ValueTask) (\w+_\w+)\(")]
    private static partial Regex TestName();
}
