using System.Runtime.InteropServices;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Packages.Tests;

/// <summary>An application that is compiled ahead of time, where a warning of the compiler is an error.</summary>
public sealed class NativeTests
{
    [Test]
    public async Task A_native_application_answers_in_memory_and_over_HTTP()
    {
        if (!TestLength.IsLong)
        {
            Assert.Ignore("Compiling ahead of time takes minutes: ./test.sh --long");
        }

        var folder = Path.Combine(Workshop.Root, "native");
        await Workshop.RunAsync($"cp -r \"{Workshop.Repository}/tests/Packages.Tests/Native\" {folder}", Workshop.Root);
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
            <configuration><packageSources><add key="servicemesh" value="{Workshop.Feed}" /></packageSources></configuration>
            """);

        await Workshop.RunAsync($"dotnet publish -c Release -r {RuntimeInformation.RuntimeIdentifier} -o published", folder);

        Assert.That(File.Exists(Path.Combine(folder, "published", "Native.dll")), Is.False, "it is one native program");
        foreach (var transport in new[] { "InMemory", "Http" })
        {
            Assert.That(await Workshop.RunAsync($"published/Native {transport} {FreePort.Next()}", folder), Is.EqualTo("Hello, Asha!\n"));
        }
    }
}
