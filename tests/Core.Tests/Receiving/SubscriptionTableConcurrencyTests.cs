using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class SubscriptionTableConcurrencyTests
{
    [Test]
    public async Task Readers_always_find_a_subscription_while_others_come_and_go()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        table.Add(node.OnSignal("a.b"), node.OnSignal("a.*"), node.OnSignal("a.b", "g"));
        Subscription[] passing = [node.OnSignal("a.b"), node.OnSignal("*.b"), node.OnSignal("a.b", "h"), node.OnSignal("*", "g")];
        using var stop = new CancellationTokenSource();
        var reads = 0;
        Task[] readers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                var match = table.Match(Topic.Parse("a.b"));
                Assert.That(match.Individuals.Length, Is.InRange(2, 4));
                Assert.That(match.Groups.Length, Is.InRange(1, 2));
                Assert.That(match.Count, Is.InRange(3, 7));
                Interlocked.Increment(ref reads);
            }
        }))];
        try
        {
            // Continues until the readers have read at the same time.
            for (var round = 0; round < 2000 || Volatile.Read(ref reads) < 10_000; round++)
            {
                foreach (var one in passing)
                {
                    table.Add(one);
                }

                foreach (var one in passing)
                {
                    Assert.That(table.Remove(one), Is.True);
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(readers).Soon();
        }

        Assert.That(table.Count, Is.EqualTo(3));
    }

    [Test]
    public async Task Concurrent_writers_lose_no_subscription()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(() =>
        {
            for (var i = 0; i < 50; i++)
            {
                var stays = node.OnSignal(i % 2 == 0 ? $"a.w{writer}" : $"a.w{writer}.*");
                var goes = node.OnSignal("a.*");
                table.Add(stays);
                table.Add(goes);
                Assert.That(table.Remove(goes), Is.True);
            }
        }))).Soon();
        Assert.That(table.Count, Is.EqualTo(400));
        Assert.That(table.Match(Topic.Parse("a.w3")).Count, Is.EqualTo(25));
        Assert.That(table.Match(Topic.Parse("a.w3.x")).Count, Is.EqualTo(25));
    }
}
