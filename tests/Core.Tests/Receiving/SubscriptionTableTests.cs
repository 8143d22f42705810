using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class SubscriptionTableTests
{
    [Test]
    public async Task The_table_matches_a_simple_filter_after_any_additions_and_removals()
    {
        await using var node = new BareNode();
        // A step adds a pattern (in one of two groups or none) or removes the subscription at an index; then a topic is asked for.
        var step =
            from remove in Gen.Frequency((3, Gen.Constant(false)), (2, Gen.Constant(true)))
            from index in Gen.Choose(0, 1000)
            from pattern in TopicGenerators.Pattern
            from @group in Gen.Elements("", "g", "h")
            from topic in TopicGenerators.Topic
            select (remove, index, pattern, @group, topic);
        Check.One(TopicGenerators.Seeded, Prop.ForAll(step.ArrayOf().Resize(60).ToArbitrary(), steps =>
        {
            var table = new SubscriptionTable();
            var expected = new List<Subscription>();
            foreach (var (remove, index, pattern, group, topic) in steps)
            {
                if (remove && expected.Count > 0)
                {
                    var taken = expected[index % expected.Count];
                    expected.Remove(taken);
                    Assert.That(table.Remove(taken), Is.True);
                    Assert.That(table.Remove(taken), Is.False, "it cannot be removed twice");
                }
                else
                {
                    var added = node.OnSignal(pattern, group.Length == 0 ? null : group);
                    expected.Add(added);
                    table.Add(added);
                }

                AssertSame(table.Match(Topic.Parse(topic)), [.. expected.Where(s => TopicGenerators.Matches(s.Pattern.ToString(), topic))]);
                Assert.That(table.Count, Is.EqualTo(expected.Count));
            }
        }));
    }

    [Test]
    public async Task Subscriptions_added_together_match_like_those_added_one_by_one()
    {
        await using var node = new BareNode();
        Check.One(TopicGenerators.Seeded.WithMaxTest(200), Prop.ForAll(
            TopicGenerators.Pattern.ArrayOf().ToArbitrary(), TopicGenerators.Topic.ToArbitrary(), (patterns, topic) =>
            {
                Subscription[] all = [.. patterns.Select(p => node.OnSignal(p))];
                var table = new SubscriptionTable();
                table.Add(all);
                AssertSame(table.Match(Topic.Parse(topic)), [.. all.Where(s => TopicGenerators.Matches(s.Pattern.ToString(), topic))]);
            }));
    }

    [Test]
    public async Task A_table_is_empty_again_after_its_last_subscription_was_removed()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        foreach (var pattern in new[] { "a.b", "a.*", "*.b", "a.*.c" })
        {
            var only = node.OnSignal(pattern);
            table.Add(only);
            Assert.That(table.Remove(only), Is.True, pattern);
            Assert.That(table.Count, Is.Zero, pattern);
            Assert.That(table.Match(Topic.Parse("a.b")), Is.SameAs(SubscriptionMatch.None), pattern);
        }
    }

    [Test]
    public async Task Removing_an_unknown_subscription_changes_nothing()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        table.Add(node.OnSignal("a.b"), node.OnSignal("a.*"), node.OnSignal("a.*.b"));
        foreach (var stranger in new[] { "a.b", "a.*", "a.*.b", "x", "x.*", "a.*.x", "*.x" })
        {
            Assert.That(table.Remove(node.OnSignal(stranger)), Is.False, stranger);
        }

        Assert.That(table.Count, Is.EqualTo(3));
        Assert.That(table.Match(Topic.Parse("a.b")).Count, Is.EqualTo(2));
    }

    [Test]
    public async Task A_match_that_is_held_does_not_change_when_the_table_does()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        var first = node.OnSignal("a.b");
        table.Add(first);
        var held = table.Match(Topic.Parse("a.b"));
        table.Add(node.OnSignal("a.b"));
        table.Remove(first);
        Assert.That(held.Individuals.ToArray(), Is.EqualTo(new[] { first }));
    }

    [Test]
    public async Task Topics_beyond_the_size_of_the_cache_are_still_matched_correctly()
    {
        await using var node = new BareNode();
        var table = new SubscriptionTable();
        var all = node.OnSignal("x.*");
        table.Add(all);
        for (var i = 0; i < 10_000; i++)
        {
            Assert.That(table.Match(Topic.Parse($"x.t{i}")).Individuals.Length, Is.EqualTo(1));
            Assert.That(table.Match(Topic.Parse($"y.t{i}")).Count, Is.Zero);
        }
    }

    private static void AssertSame(SubscriptionMatch match, Subscription[] expected)
    {
        var found = new List<Subscription>([.. match.Individuals]);
        Assert.That(found, Is.EquivalentTo(expected.Where(s => s.Group is null)));
        Assert.That(match.Count, Is.EqualTo(expected.Length));
        Assert.That(match.Groups.ToArray().Select(g => g.Name), Is.EquivalentTo(expected.Select(s => s.Group).OfType<string>().Distinct()));
    }
}
