using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ServiceMesh.Architecture.Tests;

/// <summary>
/// Which folders of a project's sources refer to which: the sources are compiled, and for each name in them the folder of
/// the type that it stands for is looked up. Documentation comments do not count.
/// </summary>
internal sealed class FolderGraph
{
    /// <summary>How the files beside the project file are named.</summary>
    public const string Root = ".";

    private readonly List<Reference> _references = [];

    private FolderGraph() { }

    /// <summary>Every reference from one folder to another, in the order of files and lines.</summary>
    public IReadOnlyList<Reference> References => _references;

    /// <summary>Every folder that has sources.</summary>
    public IReadOnlyCollection<string> Folders { get; private init; } = [];

    /// <summary>Compiles the sources below a project file's folder and looks at every name in them.</summary>
    public static FolderGraph Of(string project)
    {
        var files = SourceFiles(project).ToArray();
        var trees = files.Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), s_parse, file)).ToArray();
        var compilation = CSharpCompilation.Create(
            "Examined", [.. trees, ImplicitUsings(project)], ReferencesOf(project), new(OutputKind.DynamicallyLinkedLibrary));
        var graph = new FolderGraph { Folders = [.. files.Select(file => FolderOf(project, file)).Distinct().Order(StringComparer.Ordinal)] };
        foreach (var tree in trees)
        {
            graph.Add(project, tree, compilation.GetSemanticModel(tree));
        }

        return graph;
    }

    /// <summary>One line for each folder: the folders that it refers to, each with the number of references.</summary>
    public override string ToString() => string.Join(Environment.NewLine, Folders.Select(Describe));

    private static readonly CSharpParseOptions s_parse = new(LanguageVersion.CSharp14, DocumentationMode.None);

    private static IEnumerable<string> SourceFiles(string project) => Directory
        .EnumerateFiles(project, "*.cs", SearchOption.AllDirectories)
        .Where(file => !Path.GetRelativePath(project, file).Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"))
        .Order(StringComparer.Ordinal);

    // What the SDK adds to every project, and what the project file adds to its own.
    private static SyntaxTree ImplicitUsings(string project)
    {
        string[] always = ["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"];
        var file = Directory.EnumerateFiles(project, "*.csproj").Single();
        var own = System.Xml.Linq.XDocument.Load(file).Descendants("Using").Select(element => element.Attribute("Include")!.Value);
        return CSharpSyntaxTree.ParseText(string.Concat(always.Concat(own).Select(name => $"global using {name};\n")), s_parse);
    }

    // All that this test runs on, but for the assembly whose sources are examined and what refers to it.
    private static IEnumerable<MetadataReference> ReferencesOf(string project)
    {
        var isCore = File.Exists(Path.Combine(project, "ServiceMesh.csproj"));
        return ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var name
                && (!name.StartsWith("ServiceMesh", StringComparison.Ordinal) || (!isCore && name == "ServiceMesh.dll")))
            .Select(path => MetadataReference.CreateFromFile(path));
    }

    private static string FolderOf(string project, string file) => Path.GetRelativePath(project, file).Split(Path.DirectorySeparatorChar) switch
    {
        [_] => Root,
        [var folder, ..] => folder,
        _ => Root,
    };

    private void Add(string project, SyntaxTree tree, SemanticModel model)
    {
        var from = FolderOf(project, tree.FilePath);
        foreach (var name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
        {
            var found = model.GetSymbolInfo(name);
            var symbol = found.Symbol ?? found.CandidateSymbols.FirstOrDefault();
            foreach (var to in FoldersOf(project, symbol).Where(to => to != from))
            {
                var line = name.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
                _references.Add(new(from, to, Path.GetRelativePath(project, tree.FilePath), line, name.Identifier.Text));
            }
        }
    }

    // A type in two files of two folders counts as both.
    private static IEnumerable<string> FoldersOf(string project, ISymbol? symbol)
    {
        var type = symbol as INamedTypeSymbol ?? symbol?.ContainingType;
        return type is null
            ? []
            : type.Locations
                .Where(location => location.SourceTree is { FilePath.Length: > 0 })
                .Select(location => FolderOf(project, location.SourceTree!.FilePath))
                .Distinct();
    }

    private string Describe(string folder)
    {
        var targets = References
            .Where(reference => reference.From == folder)
            .GroupBy(reference => reference.To)
            .OrderByDescending(group => group.Count())
            .Select(group => $"{group.Key} ({group.Count()})");
        return $"{folder} -> {string.Join(", ", targets)}";
    }

    /// <summary>One name in one folder that stands for a type, or for a member of a type, of another folder.</summary>
    internal sealed record Reference(string From, string To, string File, int Line, string Name);
}
