using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Xml.Linq;
using NUnit.Framework;

namespace ServiceMesh.Packages.Tests;

/// <summary>What is in the packages.</summary>
public sealed class PackageTests
{
    private static readonly string[] s_names =
    [
        "ServiceMesh", "ServiceMesh.Conformance", "ServiceMesh.Http", "ServiceMesh.MessagePack", "ServiceMesh.Redis", "ServiceMesh.Testing",
    ];

    [Test]
    public void There_are_six_packages_each_with_its_symbols() => Assert.That(
        Directory.EnumerateFiles(Workshop.Feed).Select(Path.GetFileName),
        Is.EquivalentTo(s_names.SelectMany(name => new[] { $"{name}.{Version}.nupkg", $"{name}.{Version}.snupkg" })));

    [TestCaseSource(nameof(s_names))]
    public void A_package_has_what_a_registry_shows(string name)
    {
        using var package = Open(name, "nupkg");
        var metadata = Metadata(package, name);
        string Text(string element) => metadata.Elements().SingleOrDefault(e => e.Name.LocalName == element)?.Value ?? "";

        using (Assert.EnterMultipleScope())
        {
            Assert.That((Text("id"), Text("version"), Text("license")), Is.EqualTo((name, Version, "MIT")));
            Assert.That(Text("description"), Has.Length.InRange(30, 140));
            Assert.That(Text("tags").Split(' '), Has.Length.GreaterThan(3));
            Assert.That(Text("releaseNotes"), Does.StartWith("### Added").And.Length.LessThan(35_000));
            Assert.That((Text("readme"), Text("icon")), Is.EqualTo(("README.md", "icon.png")));
            Assert.That(metadata.Elements().Any(e => e.Name.LocalName == "repository" && e.Attribute("commit") is not null), Is.True);
            Assert.That(TextOf(package, "README.md"), Does.StartWith($"# {name}\n").And.Not.Contains("snippet:"));
            Assert.That(BytesOf(package, "icon.png").Take(8), Is.EqualTo(s_png));
        }
    }

    [TestCaseSource(nameof(s_names))]
    public void A_package_asks_for_the_oldest_versions_and_for_its_own_siblings_exactly(string name)
    {
        using var package = Open(name, "nupkg");
        var dependencies = Metadata(package, name).Descendants().Where(e => e.Name.LocalName == "dependency")
            .ToDictionary(e => (string)e.Attribute("id")!, e => (string)e.Attribute("version")!);

        Assert.That(
            dependencies.Where(d => d.Key.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)).Select(d => d.Value).Distinct(),
            Is.SubsetOf(["10.0.0"]));
        Assert.That(
            dependencies.Where(d => d.Key.StartsWith("ServiceMesh", StringComparison.Ordinal)).Select(d => d.Value).Distinct(),
            Is.EqualTo(name == "ServiceMesh" ? Array.Empty<string>() : [$"[{Version}]"]));
        Assert.That(dependencies, Is.Not.Empty);
    }

    [TestCaseSource(nameof(s_names))]
    public void The_documentation_has_its_examples_written_out(string name)
    {
        using var package = Open(name, "nupkg");
        var text = TextOf(package, $"lib/net10.0/{name}.xml");

        Assert.That(XDocument.Parse(text).Descendants("code").Where(code => code.Attribute("source") is not null), Is.Empty);
        if (name == "ServiceMesh")
        {
            Assert.That(XDocument.Parse(text).Descendants("code").Select(code => code.Value), Has.Some.Contains("RequestAsync(Weather."));
        }
    }

    [TestCaseSource(nameof(s_names))]
    public void The_symbols_have_the_sources_and_name_no_folder_of_a_machine(string name)
    {
        using var symbols = Open(name, "snupkg");
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(BytesOf(symbols, $"lib/net10.0/{name}.pdb")));
        var reader = provider.GetMetadataReader();
        var documents = reader.Documents.Select(handle => reader.GetString(reader.GetDocument(handle).Name)).ToArray();
        var embedded = reader.CustomDebugInformation.Select(reader.GetCustomDebugInformation)
            .Count(information => reader.GetGuid(information.Kind) == s_embeddedSource);

        Assert.That(documents.Where(document => !document.StartsWith("/_", StringComparison.Ordinal)), Is.Empty);
        Assert.That(embedded, Is.EqualTo(documents.Length));
    }

    [TestCaseSource(nameof(s_names))]
    public void The_assembly_is_deterministic(string name)
    {
        using var package = Open(name, "nupkg");
        var bytes = BytesOf(package, $"lib/net10.0/{name}.dll");
        using var assembly = new PEReader(new MemoryStream(bytes));

        Assert.That(assembly.ReadDebugDirectory().Select(entry => entry.Type), Has.Member(DebugDirectoryEntryType.Reproducible));
        Assert.That(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(Workshop.Repository)), Is.Negative);
    }

    private static readonly byte[] s_png = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    // EmbeddedSource in the format of portable PDB.
    private static readonly Guid s_embeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    private static string Version { get; } =
        XDocument.Load(Path.Combine(Workshop.Repository, "Directory.Build.props")).Descendants("Version").Single().Value;

    private static ZipArchive Open(string name, string kind) => ZipFile.OpenRead(Path.Combine(Workshop.Feed, $"{name}.{Version}.{kind}"));

    private static XElement Metadata(ZipArchive package, string name) =>
        XDocument.Parse(TextOf(package, $"{name}.nuspec")).Root!.Elements().Single(e => e.Name.LocalName == "metadata");

    private static string TextOf(ZipArchive package, string file) => Encoding.UTF8.GetString(BytesOf(package, file)).TrimStart('\uFEFF');

    private static byte[] BytesOf(ZipArchive package, string file)
    {
        using var content = package.GetEntry(file)!.Open();
        using var bytes = new MemoryStream();
        content.CopyTo(bytes);
        return bytes.ToArray();
    }
}
