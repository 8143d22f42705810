using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class SubscriptionGroupTests
{
    [Test]
    public async Task Members_take_turns()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        Subscription[] members = [.. Enumerable.Range(0, 3).Select(_ => node.OnSignal("a.b", "g"))];
        table.Add(members);
        var taken = new Dictionary<Subscription, int>();
        for (var i = 0; i < 300; i++)
        {
            var delivery = table.Match(Topic.Parse("a.b")).Groups[0].Offer(node.Signal("a.b"));
            taken[delivery.Subscription] = taken.GetValueOrDefault(delivery.Subscription) + 1;
            delivery.Withdraw();
        }

        Assert.That(taken.Values, Is.EquivalentTo(new[] { 100, 100, 100 }));
    }

    [Test]
    public async Task Members_with_different_patterns_take_turns_too()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        table.Add(node.OnSignal("a.b", "g"), node.OnSignal("a.*", "g"), node.OnSignal("*.b", "g"));
        var seen = new HashSet<Subscription>();
        for (var i = 0; i < 3; i++)
        {
            var groups = table.Match(Topic.Parse("a.b")).Groups;
            Assert.That(groups.Length, Is.EqualTo(1), "the group receives one copy");
            var delivery = groups[0].Offer(node.Signal("a.b"));
            seen.Add(delivery.Subscription);
            delivery.Withdraw();
        }

        Assert.That(seen, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task A_full_member_is_skipped()
    {
        await using var node = new BareNode();
        var full = Busy(node);
        var free = node.OnSignal("a.b", "g");
        var group = GroupOf(full, free);
        for (var i = 0; i < 6; i++)
        {
            var delivery = group.Offer(node.Signal("a.b"));
            Assert.That(delivery.IsAccepted, Is.True);
            Assert.That(delivery.Subscription, Is.SameAs(free));
            delivery.Withdraw();
        }
    }

    [Test]
    public async Task When_all_members_refuse_overloaded_takes_precedence_over_draining()
    {
        await using var node = new BareNode();
        var overloaded = Busy(node);
        var removed = node.OnSignal("a.b", "g");
        await removed.Gate.CloseAsync().Soon();
        var group = GroupOf(overloaded, removed);
        for (var i = 0; i < 4; i++)
        {
            var refusal = group.Offer(node.Signal("a.b")).Refusal!;
            Assert.That(refusal.Status, Is.EqualTo(StatusCode.Overloaded));
            Assert.That(refusal.NotProcessed, Is.True);
        }
    }

    private static Subscription Busy(BareNode node)
    {
        var busy = node.OnSignalWith("a.b", new() { Group = "g", MaxConcurrency = 1, MaxQueued = 0 });
        Assert.That(busy.Offer(node.Signal("a.b")).IsAccepted, Is.True);
        return busy;
    }

    private static SubscriptionGroup GroupOf(params Subscription[] members)
    {
        var table = new SubscriptionTable();
        table.Add(members);
        return table.Match(Topic.Parse("a.b")).Groups[0];
    }
}
