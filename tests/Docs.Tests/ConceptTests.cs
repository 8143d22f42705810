using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Docs.Tests;

/// <summary>The tables of the documents agree with the code.</summary>
public sealed partial class ConceptTests
{
    private static Document Errors => Named("docs/errors.md");

    private static Document Telemetry => Named("docs/telemetry.md");

    [Test]
    public void The_status_table_has_every_status()
    {
        var written = Errors.Table("status").Skip(1).Select(row => $"{row[0]} {row[1].Trim('`')}");
        var real = Enum.GetValues<StatusCode>().Where(s => s != StatusCode.None).Select(s => $"{(int)s} {s}");
        Assert.That(written, Is.EqualTo(real));
    }

    [Test]
    public void The_failure_table_has_every_kind_and_exception()
    {
        var rows = Named("docs/requests.md").Table("`FailureKind`").Skip(1).ToArray();
        var exceptions = typeof(ServiceMeshException).Assembly
            .GetTypes().Where(t => t.BaseType == typeof(ServiceMeshException)).Select(t => t.Name);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(rows.Select(r => r[0].Trim('`')), Is.EqualTo(Enum.GetNames<FailureKind>()));
            Assert.That(rows.Select(r => r[1].Trim('`')), Is.EquivalentTo(exceptions));
        }
    }

    [Test]
    public void The_capability_table_shows_the_capabilities_of_each_transport()
    {
        var table = Named("docs/transports.md").Table("feature");
        var transports = Transports();
        var names = table[0][1..^1];
        Assert.That(names, Is.EqualTo(transports.Keys));
        var features = Enum.GetValues<TransportFeatures>().Where(f => f != TransportFeatures.None).ToArray();
        Assert.That(table.Skip(1).Select(r => r[0].Trim('`')), Is.EqualTo(features.Select(f => f.ToString())));
        using (Assert.EnterMultipleScope())
        {
            foreach (var (row, feature) in table.Skip(1).Zip(features))
            {
                for (var i = 0; i < names.Length; i++)
                {
                    Assert.That(row[i + 1], Is.EqualTo(transports[names[i]].Has(feature) ? "yes" : "no"), $"{names[i]}: {feature}");
                }
            }
        }
    }

    [Test]
    public void Every_error_policy_is_explained() =>
        Assert.That(
            Enum.GetNames<ErrorPolicy>().Where(p => !Errors.Prose.Any(l => l.StartsWith($"- `{p}`", StringComparison.Ordinal))),
            Is.Empty);

    [Test]
    public void The_telemetry_tables_have_exactly_the_names_that_the_code_uses()
    {
        var source = string.Concat(Directory.EnumerateFiles(Repository.FullPath("src"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Select(File.ReadAllText));
        var used = TelemetryName().Matches(source).Select(m => m.Groups[1].Value).ToHashSet();
        var written = Telemetry.Prose.SelectMany(l => TelemetryNameInProse().Matches(l)).Select(m => m.Groups[1].Value).ToHashSet();
        Assert.That(used, Has.Count.GreaterThan(10));
        Assert.That(written, Is.EquivalentTo(used));
    }

    [Test]
    public void Every_type_and_member_that_a_document_names_exists()
    {
        var assembly = typeof(IServiceBus).Assembly;
        var types = assembly.GetTypes().Select(t => t.Name.Split('`')[0]).ToHashSet();
        var members = assembly.GetTypes()
            .SelectMany(t => t.GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static)
                .Select(m => $"{t.Name.Split('`')[0]}.{m.Name.Split('`')[0]}"))
            .ToHashSet();
        var named =
            from document in Repository.Documents
            where document.Path != "CHANGELOG.md"
            from line in document.Prose
            from match in TypeAndMember().Matches(line)
            where types.Contains(match.Groups[1].Value)
            where !members.Contains($"{match.Groups[1].Value}.{match.Groups[2].Value}")
            select $"{document}: {match.Value}";
        Assert.That(named, Is.Empty);
    }

    [Test]
    public void The_introduction_stays_short() => Assert.That(Named("docs/concepts.md").Lines, Has.Length.LessThanOrEqualTo(150));

    [Test]
    public void The_index_links_to_every_document_of_the_folder()
    {
        var index = string.Join('\n', Named("docs/README.md").Lines);
        var pages = Repository.Documents.Select(d => d.Path)
            .Where(p => p.StartsWith("docs/", StringComparison.Ordinal) && p.Count(c => c == '/') == 1 && p != "docs/README.md");
        Assert.That(pages.Where(p => !index.Contains($"({p["docs/".Length..]})", StringComparison.Ordinal)), Is.Empty);
    }

    private static Document Named(string path) => Repository.Documents.Single(d => d.Path == path);

    private static Dictionary<string, TransportCapabilities> Transports()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport().AddRedisTransport().AddHttpTransport();
        using var provider = services.BuildServiceProvider();
        return provider.GetKeyedServices<TransportRegistration>("").ToDictionary(t => t.Name, t => t.Create(provider).Capabilities);
    }

    [GeneratedRegex("""
        "((?:messaging|servicemesh|error|server|network|url|http)\.[a-z_.]+)"
        """)]
    private static partial Regex TelemetryName();

    [GeneratedRegex("`((?:messaging|servicemesh|error|server|network|url|http)\\.[a-z_.]+)`")]
    private static partial Regex TelemetryNameInProse();

    [GeneratedRegex(@"`([A-Z]\w+)\.([A-Z]\w+)[`(<]")]
    private static partial Regex TypeAndMember();
}
