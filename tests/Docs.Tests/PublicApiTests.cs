using System.Reflection;
using System.Xml.Linq;
using NUnit.Framework;
using PublicApiGenerator;

namespace ServiceMesh.Docs.Tests;

/// <summary>
/// The public API of each library is in <c>PublicApi.txt</c> beside its project, so that a review sees every change of it.
/// With <c>UPDATE_SNIPPETS=1</c> in the environment the test writes the files.
/// </summary>
public sealed class PublicApiTests
{
    private static IEnumerable<string> Projects => Repository.Files("*.csproj").Where(p => p.StartsWith("src/", StringComparison.Ordinal));

    [TestCaseSource(nameof(Projects))]
    public void The_public_API_equals_the_file(string project)
    {
        var file = Repository.FullPath($"{Path.GetDirectoryName(project)}/PublicApi.txt");
        var surface = SurfaceOf(AssemblyOf(project));
        if (Environment.GetEnvironmentVariable("UPDATE_SNIPPETS") == "1")
        {
            File.WriteAllText(file, surface);
            return;
        }

        Assert.That(File.Exists(file), Is.True, $"{file} is missing: UPDATE_SNIPPETS=1 dotnet test tests/Docs.Tests writes it");
        Assert.That(
            surface, Is.EqualTo(File.ReadAllText(file)),
            "The public API has changed: describe the change in CHANGELOG.md, " +
            "and update the file with UPDATE_SNIPPETS=1 dotnet test tests/Docs.Tests");
    }

    private static string SurfaceOf(Assembly assembly)
    {
        // The generator cannot print generic blocks of extension members, so their methods are listed.
        var types = assembly.GetExportedTypes().Where(t => !t.IsNested).ToLookup(HasExtensionBlocks);
        var options = new ApiGeneratorOptions
        {
            IncludeTypes = [.. types[false]],
            DenyNamespacePrefixes = [], // extension methods are in namespaces of the platform
            IncludeAssemblyAttributes = false,
        };
        const BindingFlags Static = BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var extensions = types[true].SelectMany(type =>
            type.GetMethods(Static).Select(method => $"{type.FullName}: {method}").Order(StringComparer.Ordinal));
        return string.Join('\n', [assembly.GeneratePublicApi(options).ReplaceLineEndings("\n").TrimEnd(), .. extensions, ""]);
    }

    private static bool HasExtensionBlocks(Type type) =>
        type.GetNestedTypes(BindingFlags.Public | BindingFlags.NonPublic)
            .Any(nested => nested.Name.StartsWith("<G>$", StringComparison.Ordinal));

    private static Assembly AssemblyOf(string project)
    {
        var name = XDocument.Load(Repository.FullPath(project)).Descendants("AssemblyName").Single().Value;
        return File.Exists(Path.Combine(AppContext.BaseDirectory, $"{name}.dll"))
            ? Assembly.Load(name)
            : throw new InvalidOperationException(
                $"Add a reference to {project} to tests/Docs.Tests, so that its public API is compared.");
    }
}
