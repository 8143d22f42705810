using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace ServiceMesh.Architecture.Tests;

/// <summary>
/// The references between the folders of a project's sources: the sources are compiled, and each name in them is resolved to
/// the folder of its type. Documentation comments do not count.
/// </summary>
internal sealed class FolderGraph
{
    /// <summary>The name of the folder of the project file, or of the examined folder itself.</summary>
    public const string Root = ".";

    private readonly List<Reference> _references = [];

    private readonly string _top;

    private FolderGraph(string top) => _top = top;

    /// <summary>Every reference from one folder to another, in the order of files and lines.</summary>
    public IReadOnlyList<Reference> References => _references;

    /// <summary>Every folder that has sources.</summary>
    public IReadOnlyCollection<string> Folders { get; private init; } = [];

    /// <summary>Names that the compiler did not find or may not use here. They would hide references, so there must be none.</summary>
    public IReadOnlyList<string> Unbound { get; private init; } = [];

    /// <summary>Compiles the sources below the folder of a project file and examines every name in them.</summary>
    /// <param name="project">The folder of the project file.</param>
    /// <param name="below">A folder of the project whose own folders are examined. Default: the project.</param>
    public static FolderGraph Of(string project, string below = "")
    {
        var top = Path.Combine(project, below);
        var files = SourceFiles(project).ToArray();
        var trees = files.Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), s_parse, file)).ToArray();
        var compilation = CSharpCompilation.Create(
            AssemblyNameOf(project), [.. trees, ImplicitUsings(project)], ReferencesOf(project), new(OutputKind.DynamicallyLinkedLibrary));
        var graph = new FolderGraph(top)
        {
            Folders = [.. files.Select(file => FolderOf(top, file)).OfType<string>().Distinct().Order(StringComparer.Ordinal)],
            Unbound = [.. compilation.GetDiagnostics().Where(d => s_unbound.Contains(d.Id)).Select(d => d.ToString())],
        };
        foreach (var tree in trees)
        {
            graph.Add(tree, compilation.GetSemanticModel(tree));
        }

        return graph;
    }

    /// <summary>One line for each folder: the folders that it refers to, each with the number of references.</summary>
    public override string ToString() => string.Join(Environment.NewLine, Folders.Select(Describe));

    private static readonly CSharpParseOptions s_parse = new(LanguageVersion.CSharp14, DocumentationMode.None);

    // A type, namespace or name that is not found, and one that is not accessible. Source generators do not run here, so members that
    // they add are missing; those have other numbers.
    private static readonly string[] s_unbound = ["CS0103", "CS0122", "CS0234", "CS0246"];

    // The project's own name, so that InternalsVisibleTo of the projects below it holds.
    private static string AssemblyNameOf(string project) => System.Xml.Linq.XDocument
        .Load(Directory.EnumerateFiles(project, "*.csproj").Single()).Descendants("AssemblyName").Single().Value;

    private static IEnumerable<string> SourceFiles(string project) => Directory
        .EnumerateFiles(project, "*.cs", SearchOption.AllDirectories)
        .Where(file => !Path.GetRelativePath(project, file).Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"))
        .Order(StringComparer.Ordinal);

    // The usings that the SDK adds to every project, and those of the project file.
    private static SyntaxTree ImplicitUsings(string project)
    {
        string[] always =
        [
            "System",
            "System.Collections.Generic",
            "System.IO",
            "System.Linq",
            "System.Net.Http",
            "System.Threading",
            "System.Threading.Tasks",
        ];
        var file = Directory.EnumerateFiles(project, "*.csproj").Single();
        var own = System.Xml.Linq.XDocument.Load(file).Descendants("Using").Select(element => element.Attribute("Include")!.Value);
        return CSharpSyntaxTree.ParseText(string.Concat(always.Concat(own).Select(name => $"global using {name};\n")), s_parse);
    }

    // All assemblies of this test, except the one whose sources are examined and those that reference it.
    private static IEnumerable<MetadataReference> ReferencesOf(string project)
    {
        var isCore = File.Exists(Path.Combine(project, "ServiceMesh.csproj"));
        return ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var name
                && (!name.StartsWith("ServiceMesh", StringComparison.Ordinal) || (!isCore && name == "ServiceMesh.dll")))
            .Select(path => MetadataReference.CreateFromFile(path));
    }

    // Null for a file that is not in the examined folder.
    private static string? FolderOf(string top, string file) => Path.GetRelativePath(top, file).Split(Path.DirectorySeparatorChar) switch
    {
        ["..", ..] => null,
        [_] => Root,
        [var folder, ..] => folder,
        _ => Root,
    };

    private void Add(SyntaxTree tree, SemanticModel model)
    {
        if (FolderOf(_top, tree.FilePath) is not { } from)
        {
            return;
        }

        foreach (var name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
        {
            var found = model.GetSymbolInfo(name);
            var symbol = found.Symbol ?? found.CandidateSymbols.FirstOrDefault();
            foreach (var to in FoldersOf(symbol).Where(to => to != from))
            {
                var line = name.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
                _references.Add(new(from, to, Path.GetRelativePath(_top, tree.FilePath), line, name.Identifier.Text));
            }
        }
    }

    // A partial type in files of two folders counts for both.
    private IEnumerable<string> FoldersOf(ISymbol? symbol)
    {
        var type = symbol as INamedTypeSymbol ?? symbol?.ContainingType;
        return type is null
            ? []
            : type.Locations
                .Where(location => location.SourceTree is { FilePath.Length: > 0 })
                .Select(location => FolderOf(_top, location.SourceTree!.FilePath))
                .OfType<string>()
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

    /// <summary>A name in one folder that refers to a type, or to a member of a type, of another folder.</summary>
    internal sealed record Reference(string From, string To, string File, int Line, string Name);
}
