using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>A subscriber that does not keep up is bounded by its limits: what is beyond them is lost and said to be, not kept.</summary>
public sealed class SlowSubscriberTests
{
    private const int Queued = 10;

    private static readonly SignalTopic<string> s_news = new("faults.news");

    [TestCase("Native", null)]
    [TestCase("Native", "workers")]
    [TestCase("Gilmour", null)]
    public async Task A_subscriber_that_stands_still_costs_no_more_memory_than_its_limits(string wire, string? group)
    {
        var signals = TestLength.Of(3_000, 30_000);
        var text = new string('x', 20_000);
        var held = new Held();
        await using var redis = await RedisServer.StartAsync();
        await using var receiver = await RedisNode.StartAsync(
            redis.Address,
            mesh => mesh.AddHandler(
                s_news, held.HandleAsync,
                options => (options.Group, options.MaxConcurrency, options.MaxQueued) = (group, 1, Queued)),
            ("Redis:Wire", wire), ("ErrorPolicy", "Ignore"));
        await using var sender = await RedisNode.StartAsync(redis.Address, null, ("Redis:Wire", wire));

        using var atReceiver = receiver.Record();
        using var atSender = sender.Record();

        await sender.Bus.SignalAsync(s_news, "first");
        await held.EnteredAsync();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var sent = 0; sent < signals; sent++)
        {
            await sender.Bus.SignalAsync(s_news, text);
        }

        await Failsafe.UntilAsync(() => Lost() >= signals - Queued);
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        await TestContext.Out.WriteLineAsync($"{signals} signals of {text.Length} bytes: {grown / 1024} KiB more than before.");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(Lost(), Is.EqualTo(signals - Queued), "each one beyond the limits is counted");
            Assert.That(
                receiver.Log.Lines.Concat(sender.Log.Lines), Has.Some.Contains("Lost a message on faults.news"), "and the log tells of it");
            Assert.That(held.Calls, Is.EqualTo(1), "and none was handled meanwhile");
            Assert.That(grown, Is.LessThan(signals * text.Length / 4), "what was lost is not kept");
        }

        held.Release();
        await Failsafe.UntilAsync(() => held.Calls == 1 + Queued);

        // The copy for a group is refused to its sender, which counts the loss.
        int Lost() => (int)(atReceiver.Sum("servicemesh.dropped.messages") + atSender.Sum("servicemesh.dropped.messages"));
    }
}
