using System.Diagnostics;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>
/// Costs are compared within one run, as medians. Noise stays below the factor; a linear search would exceed it a
/// hundred times.
/// </summary>
[NonParallelizable]
public sealed class SubscriptionTableCostTests
{
    private const int GenerousFactor = 20;

    [Test]
    public async Task Matching_among_10000_topics_costs_about_as_much_as_among_10()
    {
        await using var node = new BareNode();
        AssertSimilar(
            Table(node, 10, i => $"service.topic{i}"), Table(node, 10_000, i => $"service.topic{i}"), i => $"service.topic{i % 10}");
    }

    [Test]
    public async Task Matching_among_10000_patterns_costs_about_as_much_as_among_10()
    {
        await using var node = new BareNode();
        AssertSimilar(
            Table(node, 10, i => $"service.s{i}.*"), Table(node, 10_000, i => $"service.s{i}.*"), i => $"service.s{i % 10}.event");
    }

    [Test]
    public async Task The_first_match_of_a_topic_costs_the_same_among_10000_patterns_as_among_10()
    {
        await using var node = new BareNode();
        var fresh = 0;
        AssertSimilar(
            Table(node, 10, i => $"service.s{i}.*"), Table(node, 10_000, i => $"service.s{i}.*"),
            i => $"service.s{i % 10}.event{Interlocked.Increment(ref fresh)}");
    }

    [Test]
    public async Task The_cost_of_adding_patterns_is_proportional_to_their_number()
    {
        await using var node = new BareNode();
        Subscription[] all = [.. Enumerable.Range(0, 20_000).Select(i => node.OnSignal($"s{i}.x{i}.*"))];
        var few = Allocated.By(() => new SubscriptionTable().Add(all[..200]));
        var many = Allocated.By(() => new SubscriptionTable().Add(all));

        // A copy of the tree for each pattern would cost 10,000 times as much.
        Assert.That(many, Is.LessThan(few * 100 * 3), $"{few} bytes for two hundred, {many} for twenty thousand");
    }

    [TestCase("service.s7", "service.s{0}")]
    [TestCase("service.s7.event", "service.s{0}.*")]
    [TestCase("not.subscribed", "service.s{0}")]
    [TestCase("not.subscribed", "service.s{0}.*")]
    public async Task Matching_a_topic_again_does_not_allocate(string topic, string pattern)
    {
        await using var node = new BareNode();
        var table = Table(node, 100, i => string.Format(System.Globalization.CultureInfo.InvariantCulture, pattern, i));
        var parsed = Topic.Parse(topic);
        table.Match(parsed);
        var allocated = Allocated.By(() =>
        {
            for (var i = 0; i < 1000; i++)
            {
                table.Match(parsed);
            }
        });

        Assert.That(allocated, Is.Zero);
    }

    private static SubscriptionTable Table(BareNode node, int size, Func<int, string> pattern)
    {
        var table = new SubscriptionTable();
        table.Add([.. Enumerable.Range(0, size).Select(i => node.OnSignal(pattern(i)))]);
        return table;
    }

    private static void AssertSimilar(SubscriptionTable few, SubscriptionTable many, Func<int, string> topic)
    {
        Median(few, topic);
        Median(many, topic);
        var (small, large) = (Median(few, topic), Median(many, topic));
        Assert.That(large, Is.LessThan(Math.Max(small, 1) * GenerousFactor), $"{small} ticks for ten, {large} for ten thousand");
    }

    private static long Median(SubscriptionTable table, Func<int, string> topic)
    {
        var samples = new long[101];
        var topics = new Topic[100];
        for (var i = 0; i < samples.Length; i++)
        {
            for (var j = 0; j < topics.Length; j++)
            {
                topics[j] = Topic.Parse(topic(j));
            }

            var before = Stopwatch.GetTimestamp();
            foreach (var one in topics)
            {
                if (table.Match(one).Count != 1)
                {
                    Assert.Fail($"'{one}' has one subscription");
                }
            }

            samples[i] = Stopwatch.GetTimestamp() - before;
        }

        Array.Sort(samples);
        return samples[samples.Length / 2];
    }
}
