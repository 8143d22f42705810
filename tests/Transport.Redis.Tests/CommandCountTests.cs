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

    // The request, the reply, and a claim of each replica that heard it.
    [TestCase(1)]
    [TestCase(3)]
    public async Task A_request_is_two_publishes_and_one_claim_of_each_replica(int replicas)
    {
        await using var redis = await RedisServer.StartAsync();
        var nodes = await Task.WhenAll(Enumerable.Range(0, replicas)
            .Select(_ => RedisNode.StartAsync(redis.Address, mesh => mesh.AddHandler(s_work, (number, _) => $"{number}"))));
        await using var caller = await RedisNode.StartAsync(redis.Address);
        using var admin = await redis.ConnectAsync();
        Assert.That(await caller.Bus.RequestAsync(s_work, 0).InTime(), Is.EqualTo("0"));

        await admin.SendAsync("CONFIG", "RESETSTAT");
        var outcomes = await Callers.Start(caller.Bus, s_work, callers: 16, Requests).EndAsync();
        Dictionary<string, double> counts = [];
        await Failsafe.UntilAsync(async () =>
        {
            // The last replicas may still lose their claims after the reply has come.
            counts = Count((string)(await admin.SendAsync("INFO", "commandstats"))!);
            return counts.GetValueOrDefault("set") >= replicas;
        });
        await TestContext.Out.WriteLineAsync($"{replicas} replicas, commands per request: "
            + string.Join(", ", counts.OrderByDescending(c => c.Value).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Key} {c.Value:0.###}"))));
        foreach (var node in nodes)
        {
            await node.DisposeAsync();
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(outcomes.Select(o => o.Status), Is.All.EqualTo(StatusCode.Ok));
            Assert.That(counts["publish"], Is.EqualTo(2).Within(0.01), "request and reply");
            Assert.That(counts["set"], Is.EqualTo(replicas).Within(0.05), "one claim of each replica; presence is renewed besides");
            Assert.That(counts.Where(c => c.Key is not ("publish" or "set")).Sum(c => c.Value), Is.LessThan(0.1), "and nothing for each request besides");
        }
    }

    // Per request, without what this test asks itself.
    private static Dictionary<string, double> Count(string commandStats) => CommandLine().Matches(commandStats)
        .Where(line => line.Groups[1].Value is not ("info" or "config|resetstat"))
        .ToDictionary(line => line.Groups[1].Value, line => double.Parse(line.Groups[2].Value, CultureInfo.InvariantCulture) / Requests);

    [GeneratedRegex("^cmdstat_([^:]+):calls=([0-9]+)", RegexOptions.Multiline)]
    private static partial Regex CommandLine();
}
