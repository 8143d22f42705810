using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>What a request costs Redis, by its own count.</summary>
public sealed partial class CommandCountTests
{
    private const int Requests = 1_000;

    private static readonly RequestTopic<int, string> s_work = new("count.work");

    [TestCase(1, 1, 2.1)]
    [TestCase(4, 1, 2.1)]
    [TestCase(16, 1, 2.1)]
    [TestCase(1, 64, 1.5)]
    [TestCase(4, 64, 2.1)]
    [TestCase(16, 64, 2.1)]
    public async Task A_request_is_two_publishes_at_most_however_many_replicas_there_are(int replicas, int callers, double most)
    {
        await using var redis = await RedisServer.StartAsync();
        var nodes = await Task.WhenAll(Enumerable.Range(0, replicas)
            .Select(_ => RedisNode.StartAsync(redis.Address, mesh => mesh.AddHandler(s_work, (number, _) => $"{number}"))));
        await using var caller = await RedisNode.StartAsync(redis.Address);
        using var admin = await redis.ConnectAsync();
        Assert.That(await caller.Bus.RequestAsync(s_work, 0).InTime(), Is.EqualTo("0"));

        await admin.SendAsync("CONFIG", "RESETSTAT");
        var outcomes = await Callers.Start(caller.Bus, s_work, callers, Requests).EndAsync();
        var counts = Count((string)(await admin.SendAsync("INFO", "commandstats"))!);
        await TestContext.Out.WriteLineAsync($"{replicas} replicas, {callers} callers, commands per request: "
            + string.Join(
                ", ",
                counts.OrderByDescending(c => c.Value)
                    .Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Key} {c.Value:0.###}"))));
        foreach (var node in nodes)
        {
            await node.DisposeAsync();
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(outcomes.Select(o => o.Status), Is.All.EqualTo(StatusCode.Ok));
            Assert.That(counts.GetValueOrDefault("spublish"), Is.LessThanOrEqualTo(most), "request and reply");
            Assert.That(
                counts.Where(c => c.Key is not "spublish").Sum(c => c.Value),
                Is.LessThan(0.1),
                "and nothing for each request besides");
        }
    }

    // Per request, without what this test asks itself.
    private static Dictionary<string, double> Count(string commandStats) => CommandLine().Matches(commandStats)
        .Where(line => line.Groups[1].Value is not ("info" or "config|resetstat"))
        .ToDictionary(line => line.Groups[1].Value, line => double.Parse(line.Groups[2].Value, CultureInfo.InvariantCulture) / Requests);

    [GeneratedRegex("^cmdstat_([^:]+):calls=([0-9]+)", RegexOptions.Multiline)]
    private static partial Regex CommandLine();
}
