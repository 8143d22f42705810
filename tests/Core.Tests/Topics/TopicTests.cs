using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class TopicTests
{
    [TestCase("a")]
    [TestCase("weather.fetch")]
    [TestCase("A-b_9.0.-._")]
    public void A_valid_name_is_a_topic(string text) =>
        Assert.That(Topic.Parse(text).ToString(), Is.EqualTo(text));

    [TestCase(".")]
    [TestCase(".a")]
    [TestCase("a.")]
    [TestCase("a..b")]
    [TestCase("a b")]
    [TestCase("a/b")]
    [TestCase("a\n")]
    [TestCase("wetter.übersicht")]
    [TestCase("a.٣")]
    public void An_invalid_name_is_refused_with_the_name_and_the_rule(string text)
    {
        Assert.That(Topic.TryParse(text, out _), Is.False);
        var failure = Assert.Throws<FormatException>(() => Topic.Parse(text))!;
        Assert.That(failure.Message, Does.Contain($"'{text}'").And.Contains("segment has letters, digits, '-' and '_'"));
    }

    [TestCase(null)]
    [TestCase("")]
    public void A_missing_topic_is_refused_as_missing(string? text) =>
        Assert.That(() => Topic.Parse(text!), Throws.TypeOf<FormatException>().With.Message.Contains("A topic is missing"));

    [TestCase("event.*")]
    [TestCase("*")]
    public void A_pattern_is_refused_as_a_topic_with_the_reason(string text) =>
        Assert.That(
            () => Topic.Parse(text), Throws.TypeOf<FormatException>().With.Message.Contains($"'{text}' contains '*' and so is a pattern"));

    [Test]
    public void The_longest_topic_has_255_characters()
    {
        Assert.That(Topic.TryParse(new string('a', 255), out _), Is.True);
        var failure = Assert.Throws<FormatException>(() => Topic.Parse(new string('a', 256)))!;
        Assert.That(failure.Message, Does.Contain("256 characters").And.Contains("255 characters at most").And.Length.LessThan(300));
    }

    [Test]
    public void Topics_are_equal_by_ordinal_text()
    {
        Assert.That(Topic.Parse("a.b"), Is.EqualTo(Topic.Parse("a." + 'b')));
        Assert.That(Topic.Parse("a.b") == Topic.Parse("a.B"), Is.False);
        Assert.That(Topic.Parse("a.b").GetHashCode(), Is.EqualTo(Topic.Parse("a." + 'b').GetHashCode()));
        Assert.That(default(Topic).ToString(), Is.Empty);
    }

    [TestCase("")]
    [TestCase("a..*")]
    [TestCase("a*")]
    [TestCase("**")]
    [TestCase("a.b*.c")]
    public void An_invalid_pattern_is_refused_with_the_name_and_the_rule(string text) =>
        Assert.That(
            () => TopicPattern.Parse(text),
            Throws.TypeOf<FormatException>()
                .With.Message.Contains($"'{text}' is not a pattern")
                .And.Message.Contains("a whole segment may be '*'"));

    [Test]
    public void A_pattern_has_at_most_255_characters()
    {
        Assert.That(TopicPattern.Parse("*." + new string('a', 253)).IsExact, Is.False);
        Assert.That(() => TopicPattern.Parse("*." + new string('a', 254)), Throws.TypeOf<FormatException>());
    }

    [Test]
    public void A_request_topic_is_never_a_pattern() =>
        Assert.That(
            () => new RequestTopic<string, string>("a.*"), Throws.TypeOf<FormatException>().With.Message.Contains("'a.*' contains '*'"));

    [Test]
    public void A_signal_is_sent_to_one_topic_and_subscribed_to_by_pattern()
    {
        Assert.That(() => new SignalTopic<string>("a.*"), Throws.TypeOf<FormatException>().With.Message.Contains("'a.*' contains '*'"));
        Assert.That(new SignalPattern<string>("a.*").Pattern.IsExact, Is.False);
        Assert.That(new SignalTopic<string>("a.b").Pattern, Is.EqualTo(TopicPattern.Parse("a.b")));
    }
}
