using NUnit.Framework;

namespace ServiceMesh.Packages.Tests;

/// <summary>The conformance suite as the author of a transport uses it.</summary>
public sealed class SuiteTests
{
    [Test]
    public async Task A_class_that_inherits_a_theme_runs_its_tests()
    {
        var folder = Path.Combine(Workshop.Root, "transport");
        await Workshop.RunAsync($"cp -r \"{Workshop.Repository}/tests/Packages.Tests/Suite\" {folder}", Workshop.Root);
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
            <configuration><packageSources><add key="servicemesh" value="{Workshop.Feed}" /></packageSources></configuration>
            """);

        var printed = await Workshop.RunAsync("dotnet test", folder);

        Assert.That(printed, Does.Match(@"Failed:\s+0, Passed:\s+[1-9]\d*, Skipped:\s+0"));
    }
}
