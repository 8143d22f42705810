using System.Globalization;
using System.Text.RegularExpressions;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

/// <summary>The page about troubles lists each warning and error of the log, by its id.</summary>
public sealed partial class TroubleshootingTests
{
    private static readonly (string Folder, string Category)[] s_categories =
    [
        ("src/Core/", "ServiceMesh"), ("src/Transport.Http/", "ServiceMesh.Http"), ("src/Transport.Redis/", "ServiceMesh.Redis"),
    ];

    [Test]
    public void Each_warning_and_error_of_the_log_has_a_row()
    {
        var rows = Repository.Documents.Single(d => d.Path == "docs/troubleshooting.md").Table("id", "## Lines of the log").Skip(1)
            .Select(row => (Id: int.Parse(row[0], CultureInfo.InvariantCulture), Category: row[1].Trim('`')));

        Assert.That(
            rows, Is.EquivalentTo(Lines().Where(line => line.Level is not ("Information" or "Debug")).Select(l => (l.Id, l.Category))));
    }

    [Test]
    public void No_two_lines_of_one_category_have_the_same_id() =>
        Assert.That(Lines().Select(line => (line.Id, line.Category)), Is.Unique);

    private static IEnumerable<(int Id, string Category, string Level)> Lines() =>
        from category in s_categories
        from file in Repository.Sources.Where(f => f.StartsWith(category.Folder, StringComparison.Ordinal))
        from Match line in Attribute().Matches(File.ReadAllText(Repository.FullPath(file)))
        select (int.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture), category.Category, line.Groups[2].Value);

    // A level that is not written there is a parameter.
    [GeneratedRegex(@"\[LoggerMessage\(\s*(?:EventId = )?(\d+),\s*(?:LogLevel\.(\w+))?")]
    private static partial Regex Attribute();
}
