using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>A service that is away does not fill the log of its callers.</summary>
public sealed class LogFloodTests
{
    [Test]
    public async Task Requests_to_a_service_that_is_away_are_a_few_lines([Values] ErrorPolicy policy)
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var caller = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport(),
            [
                ("Transport", "Http"), Service("weather", port), ("ErrorPolicy", policy.ToString()),
                ("Errors:QueueFile", Path.Combine(TestContext.CurrentContext.WorkDirectory, $"{Guid.NewGuid():N}.jsonl")),
            ]);
        Assert.That(await caller.Bus.RequestAsync(Ask, "x").InTime(), Is.EqualTo("x"));
        await server.DisposeAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (var i = 0; i < 250; i++)
            {
                Assert.That((await caller.Bus.TryRequestAsync(Ask, "x").InTime()).IsSuccess, Is.False);
            }
        }));

        string[] lines = [.. caller.Log.From(LogLevel.Warning)];
        Assert.That(lines, Has.Length.LessThan(20), string.Join('\n', lines.Take(30)));
    }
}
