using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class TopicPatternTests
{
    [TestCase("event.*", "event.user", true)]
    [TestCase("event.*", "event.user.created", true)]
    [TestCase("event.*", "event", false)]
    [TestCase("event.*", "events.user", false)]
    [TestCase("*.created", "user.created", true)]
    [TestCase("*.created", "event.user.created", false)]
    [TestCase("*.created", "created", false)]
    [TestCase("*", "a", true)]
    [TestCase("*", "a.b.c", true)]
    [TestCase("*.*", "a", false)]
    [TestCase("*.*", "a.b.c", true)]
    [TestCase("a.*.c", "a.b.c", true)]
    [TestCase("a.*.c", "a.b.b.c", false)]
    [TestCase("a.b", "a.b", true)]
    [TestCase("a.b", "a.b.c", false)]
    [TestCase("a.b", "A.b", false)]
    public void A_star_matches_one_segment_and_at_the_end_one_or_more(string pattern, string topic, bool matches)
    {
        Assert.That(TopicPattern.Parse(pattern).Matches(Topic.Parse(topic)), Is.EqualTo(matches));
        Assert.That(TopicGenerators.Matches(pattern, topic), Is.EqualTo(matches), "the reference matcher");
    }

    [Test]
    public void Every_pattern_matches_like_the_reference_matcher() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(5000), Prop.ForAll(
            TopicGenerators.Pattern.ToArbitrary(),
            TopicGenerators.Topic.ToArbitrary(),
            (pattern, topic) => TopicPattern.Parse(pattern).Matches(Topic.Parse(topic)) == TopicGenerators.Matches(pattern, topic)));

    [Test]
    public void Matching_does_not_allocate()
    {
        var pattern = TopicPattern.Parse("a.*.c.*");
        var topic = Topic.Parse("a.b.c.d.e");
        pattern.Matches(topic);
        var allocated = Allocated.By(() =>
        {
            for (var i = 0; i < 1000; i++)
            {
                pattern.Matches(topic);
            }
        });

        Assert.That(allocated, Is.Zero);
    }

    [Test]
    public void Patterns_are_equal_by_text()
    {
        Assert.That(TopicPattern.Parse("a.*"), Is.EqualTo(TopicPattern.Parse("a." + '*')));
        Assert.That(TopicPattern.Parse("a.*"), Is.Not.EqualTo(TopicPattern.Parse("a.b")));
        Assert.That(TopicPattern.From(Topic.Parse("a.b")), Is.EqualTo(TopicPattern.Parse("a.b")));
    }
}
