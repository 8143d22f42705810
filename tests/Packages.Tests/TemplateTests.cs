using NUnit.Framework;

namespace ServiceMesh.Packages.Tests;

/// <summary>The templates where Getting started does not use them: without a library of contracts.</summary>
public sealed class TemplateTests
{
    // Getting started builds the contracts, and builds each template with them.
    [TestCase("mesh-service")]
    [TestCase("mesh-api")]
    public async Task A_template_without_a_contracts_library_has_the_contracts_itself(string template)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Workshop.Root, template)).FullName;

        await Workshop.RunAsync($"dotnet new install \"$REPOSITORY/templates\" --force && dotnet new {template} -o Alone", folder);

        string Text(string file) => File.ReadAllText(Path.Combine(folder, "Alone", file));
        Assert.That(Text("Alone.csproj"), Does.Not.Contain("ProjectReference").And.Not.Contain("#if"));
        Assert.That(
            Text("GreetingTopics.cs"),
            Is.EqualTo(File.ReadAllText(Path.Combine(Workshop.Delivered, "templates", "contracts", "GreetingTopics.cs"))));
    }
}
