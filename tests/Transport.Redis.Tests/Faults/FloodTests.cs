using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>What a node logs when a program floods its channels, or sends names that would break a log line.</summary>
public sealed partial class FloodTests
{
    private const string Reason = "(malformed-frame)";

    private static readonly RequestTopic<string, string> s_ask = new("faults.ask");

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task A_flood_of_bad_frames_is_counted_in_few_log_lines(string wire)
    {
        const int Frames = 50_000, Packet = 1_000;
        await using var redis = await RedisServer.StartAsync("--client-output-buffer-limit", "pubsub", "0", "0", "0");
        await using var node = await RedisNode.StartAsync(
            redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word), ("Redis:Wire", wire));
        using var foreigner = await redis.ConnectAsync();
        var (command, channel) = wire == "Gilmour" ? ("PUBLISH", "gilmour.request.faults.ask") : ("SPUBLISH", $"mesh:inbox:{node.Id}");

        // One script for many frames, because a command for each would take longer than the test.
        for (var sent = 0; sent < Frames; sent += Packet)
        {
            await foreigner.SendAsync(
                "EVAL", $"for i = 1, {Packet} do redis.call('{command}', KEYS[1], '{{') end", "1", channel);
        }

        await Failsafe.UntilAsync(() => Told(node) == Frames);
        var lines = node.Log.Lines.Count(line => line.Contains(Reason, StringComparison.Ordinal));
        await TestContext.Out.WriteLineAsync($"{Frames} bad frames made {lines} lines.");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(lines, Is.LessThan(1_000), "six lines a second");
            Assert.That(await node.Bus.RequestAsync(s_ask, "still here").InTime(), Is.EqualTo("still here"));
        }
    }

    [Test]
    public async Task A_foreign_sender_cannot_begin_a_line_of_the_log()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await RedisNode.StartAsync(
            redis.Address,
            mesh => mesh.AddHandler(s_ask, (_, _) => throw new InvalidOperationException("of the test")),
            ("Redis:Wire", "Gilmour"));
        using var foreigner = await redis.ConnectAsync();

        await foreigner.SendAsync("PUBLISH", "gilmour.request.faults.ask",
            """{"data": "x", "code": 200, "sender": "forged\n2026-01-01 fatal: \u001b[31mline\u2028"}""");
        await foreigner.SendAsync("PUBLISH", "gilmour.request.faults.ask", "{\"data\": \"x\", \"sender\": \"\n\"}");

        await Failsafe.UntilAsync(() => node.Log.Lines.Any(line => line.Contains("forged", StringComparison.Ordinal)));
        await Failsafe.UntilAsync(() => node.Log.Lines.Any(line => line.Contains(Reason, StringComparison.Ordinal)));
        Assert.That(node.Log.Lines.Where(line => line.Any(c => char.IsControl(c) || c == '\u2028')), Is.Empty);
    }

    [Test]
    public async Task A_foreign_name_in_a_frame_cannot_begin_a_line_of_the_log()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await RedisNode.StartAsync(redis.Address);
        using var foreigner = await redis.ConnectAsync();

        await foreigner.SendAsync("PUBLISH", "mesh:notices", "{\"n\":\"forged\\nline\",\"v\":1}");
        await foreigner.SendAsync("HSET", "mesh:member:forged", "v", "1:1:0", "node", "{\"Id\":\"x\\ny\"}");
        await foreigner.SendAsync("ZADD", "mesh:members", $"{DateTimeOffset.UtcNow.AddSeconds(20).ToUnixTimeMilliseconds()}", "forged");
        _ = await node.Bus.ListNodesAsync().InTime();

        await Failsafe.UntilAsync(() => node.Log.Lines.Any(line => line.Contains("Lost a message", StringComparison.Ordinal)));
        Assert.That(node.Log.Lines.Where(line => line.Any(char.IsControl)), Is.Empty);
    }

    // The lines one by one, and those that say how many more there were.
    private static int Told(RedisNode node) => node.Log.Lines.Where(line => line.Contains(Reason, StringComparison.Ordinal))
        .Sum(line => More().Match(line) is { Success: true } more ? int.Parse(more.Groups[1].Value, CultureInfo.InvariantCulture) : 1);

    [GeneratedRegex("There were ([0-9]+) more")]
    private static partial Regex More();
}
