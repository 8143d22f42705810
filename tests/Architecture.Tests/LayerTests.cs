using NUnit.Framework;

namespace ServiceMesh.Architecture.Tests;

/// <summary>Folders form layers: a folder uses those below it, never one above it.</summary>
internal sealed class LayerTests
{
    private static readonly TestCaseData[] s_projects =
    [
        new TestCaseData("Serialization.MessagePack", "", Layers.MessagePack).SetArgDisplayNames("Serialization.MessagePack"),
        new TestCaseData("Testing", "", Layers.Testing).SetArgDisplayNames("Testing"),
        new TestCaseData("Core", "", Layers.Core).SetArgDisplayNames("Core"),
        new TestCaseData("Transport.Redis", "", Layers.Redis).SetArgDisplayNames("Transport.Redis"),
        new TestCaseData("Transport.Http", "", Layers.Http).SetArgDisplayNames("Transport.Http"),
        new TestCaseData("Transport.Http", "Pipeline", Layers.HttpPipeline).SetArgDisplayNames("Transport.Http/Pipeline"),
    ];

    [TestCaseSource(nameof(s_projects))]
    public void A_folder_refers_only_to_folders_below_it(string project, string below, IReadOnlyList<string> order)
    {
        var graph = FolderGraph.Of(Path.Combine(Sources(), project), below);
        TestContext.Out.WriteLine(graph);

        Assert.That(graph.Unbound, Is.Empty, "A name that is not bound hides a reference.");
        Assert.That(graph.Folders, Is.SubsetOf(order), "Give a new folder its place in Layers.cs.");
        Assert.That(Upward(graph, order), Is.Empty, "Move the type down, or let the lower folder take what it needs as a value.");
    }

    [Test]
    public void An_upward_reference_is_found_with_its_file_and_line()
    {
        var graph = FolderGraph.Of(Path.Combine(Sources(), "Core"));
        string[] reversed = [.. Enumerable.Reverse(Layers.Core)];

        Assert.That(Upward(graph, reversed), Has.Some.Match("^Sending/Sender.cs:[0-9]+: Sending refers to Messages"));
    }

    private static IEnumerable<string> Upward(FolderGraph graph, IReadOnlyList<string> order) => graph.References
        .Where(reference => Place(order, reference.To) < Place(order, reference.From))
        .Select(reference => $"{reference.File}:{reference.Line}: {reference.From} refers to {reference.To} ({reference.Name})")
        .Distinct();

    private static int Place(IReadOnlyList<string> order, string folder) => order.TakeWhile(known => known != folder).Count();

    private static string Sources()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "ServiceMesh.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException($"There is no ServiceMesh.sln above {AppContext.BaseDirectory}.");
        }

        return Path.Combine(folder.FullName, "src");
    }
}
