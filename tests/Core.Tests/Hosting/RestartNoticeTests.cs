using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>What a change of the configuration at run time does: it is named, and takes effect after a restart.</summary>
public sealed class RestartNoticeTests
{
    private const string Notice = "The configuration has changed: ";

    [Test]
    public async Task A_key_that_changes_at_run_time_is_named_once_without_its_value()
    {
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(), [("Handler:MaxConcurrency", "3"), ("NodeName", "a")]);
        var configuration = (IConfigurationRoot)node.Services.GetRequiredService<IConfiguration>();

        configuration.Reload();
        Assert.That(Notices(node), Is.Empty, "nothing has changed");
        configuration["ServiceMesh:Handler:MaxConcurrency"] = "4";
        configuration["ServiceMesh:NodeName"] = "secret";
        configuration["Other:Key"] = "x";
        configuration.Reload();
        configuration.Reload();

        Assert.That(
            Notices(node),
            Is.EqualTo([$"{Notice}ServiceMesh:Handler:MaxConcurrency, ServiceMesh:NodeName. The change takes effect after a restart"]));
        Assert.That(node.Log.Lines, Has.None.Contains("secret"));
    }

    [Test]
    public async Task A_key_that_a_transport_takes_over_is_not_named()
    {
        await using var node = await TestNode.StartAsync(mesh =>
        {
            mesh.Services.AddKeyedSingleton(mesh.Name, new ReloadedKeys("Http:Services"));
            mesh.AddTransport(new("Http", ["Services"], _ => new ScriptedTransport()));
        });
        var configuration = (IConfigurationRoot)node.Services.GetRequiredService<IConfiguration>();

        configuration["ServiceMesh:Http:Services:weather:Address"] = "static:a:1";
        configuration["ServiceMesh:Http:ServicesElse"] = "x";
        configuration.Reload();

        Assert.That(Notices(node), Is.EqualTo([$"{Notice}ServiceMesh:Http:ServicesElse. The change takes effect after a restart"]));
    }

    [Test]
    public async Task A_node_that_is_disposed_says_nothing_about_changes()
    {
        var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport());
        var configuration = (IConfigurationRoot)node.Services.GetRequiredService<IConfiguration>();
        await node.DisposeAsync();

        configuration["ServiceMesh:Handler:MaxConcurrency"] = "4";
        Assert.That(Notices(node), Is.Empty);
    }

    private static string[] Notices(TestNode node) =>
        [.. node.Log.Lines.Where(line => line.StartsWith(Notice, StringComparison.Ordinal))];
}
