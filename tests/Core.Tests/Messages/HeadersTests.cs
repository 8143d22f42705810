using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class HeadersTests
{
    [Test]
    public void Names_ignore_case_and_a_later_value_replaces_an_earlier_one()
    {
        var headers = Headers.Of(("Tenant", "a"), ("other", "x"), ("TENANT", "b"));
        Assert.That(headers.Count, Is.EqualTo(2));
        Assert.That(headers["tenant"], Is.EqualTo("b"));
        Assert.That(headers.TryGet("tEnant", out var value), Is.True);
        Assert.That(value, Is.EqualTo("b"));
        Assert.That(headers["missing"], Is.Null);
        Assert.That(headers.TryGet("missing", out _), Is.False);
    }

    [Test]
    public void Headers_do_not_change_when_others_are_made_from_them()
    {
        var one = Headers.Of(("a", "1"));
        var two = one.With("b", "2");
        var other = one.With("A", "9");
        var none = one.Without("a");
        Assert.That(one, Is.EquivalentTo(new[] { KeyValuePair.Create("a", "1") }));
        Assert.That(two.Count, Is.EqualTo(2));
        Assert.That(other["a"], Is.EqualTo("9"));
        Assert.That(none.Count, Is.Zero);
        Assert.That(one.Without("x"), Is.SameAs(one));
        Assert.That(Headers.Empty.Count, Is.Zero);
    }

    [Test]
    public void Without_removes_one_header_and_keeps_the_rest_in_order()
    {
        var headers = Headers.Of(("a", "1"), ("b", "2"), ("c", "3")).Without("B");
        Assert.That(headers.Select(h => h.Key), Is.EqualTo(new[] { "a", "c" }));
    }

    [TestCase("")]
    [TestCase("a b")]
    [TestCase("a:b")]
    [TestCase("ä")]
    [TestCase("a\n")]
    public void An_invalid_name_is_refused_by_name(string name) =>
        Assert.That(
            () => Headers.Empty.With(name, "x"),
            Throws.ArgumentException
                .With.Message.Contains($"'{name}' is not a header name")
                .And.Message.Contains("1 to 64 letters, digits, '-', '_' or '.'"));

    [Test]
    public void A_name_has_at_most_64_characters()
    {
        Assert.That(Headers.Empty.With(new string('n', 64), "x").Count, Is.EqualTo(1));
        Assert.That(() => Headers.Empty.With(new string('n', 65), "x"), Throws.ArgumentException);
    }

    [TestCase("a\nb")]
    [TestCase("a\rb")]
    [TestCase("\0")]
    [TestCase("\t")]
    [TestCase("\u0085")]
    public void A_value_with_a_control_character_is_refused_without_repeating_it(string value)
    {
        var failure = Assert.Throws<ArgumentException>(() => Headers.Empty.With("tenant", value))!;
        Assert.That(failure.Message, Does.Contain("'tenant' contains a control character").And.Not.Contain(value));
    }

    [TestCase("")]
    [TestCase("grüße, 世界 🌍")]
    public void Any_other_text_is_a_value(string value) =>
        Assert.That(Headers.Empty.With("a", value)["a"], Is.EqualTo(value));

    [Test]
    public void A_message_carries_at_most_64_headers()
    {
        var headers = Enumerable.Range(0, 64).Aggregate(Headers.Empty, (all, i) => all.With($"h{i}", "x"));
        Assert.That(headers.Count, Is.EqualTo(Headers.MaxCount));
        Assert.That(headers.With("H63", "y")["h63"], Is.EqualTo("y"), "changing a header does not add one");
        Assert.That(
            () => headers.With("h64", "x"),
            Throws.ArgumentException.With.Message.Contains("at most 64 headers").And.Message.Contains("65"));
    }

    [Test]
    public void Names_and_values_have_at_most_8192_characters_together()
    {
        var headers = Headers.Empty.With("name", new string('v', 8188));
        Assert.That(() => headers.With("name", new string('v', 8189)), Throws.ArgumentException.With.Message.Contains("8192 characters"));
        Assert.That(() => headers.With("a", ""), Throws.ArgumentException);
        Assert.That(headers.With("name", "short").With("a", "").Count, Is.EqualTo(2));
    }

    [Test]
    public void Headers_of_the_bus_do_not_count_against_the_limits()
    {
        var full = Enumerable.Range(0, 64).Aggregate(Headers.Empty, (all, i) => all.With($"h{i}", "x"));
        Assert.That(full.WithTrusted("traceparent", "t").Count, Is.EqualTo(65));
        Assert.That(full.WithTrusted("H0", "y")["h0"], Is.EqualTo("y"));
    }

    [Test]
    public void Trace_context_does_not_count_against_the_limits()
    {
        var full = Enumerable.Range(0, 64).Aggregate(Headers.Empty, (all, i) => all.With($"h{i}", new string('v', 125)));

        var traced = full.With("traceparent", "00-1").With("TraceState", "a=1").With("baggage", new string('b', 8192));

        Assert.That((traced.Count, traced["tracestate"]), Is.EqualTo((67, "a=1")));
        Assert.That(traced.With("h1", "x")["h1"], Is.EqualTo("x"), "a handler that passes on what it received may change it");
        Assert.That(() => traced.With("one-more", ""), Throws.ArgumentException.With.Message.Contains("these are 65 of"));
    }

    [TestCase("traceparent", 257)]
    [TestCase("tracestate", 513)]
    [TestCase("baggage", 8193)]
    public void Trace_context_that_is_too_long_or_has_a_control_character_is_dropped(string name, int length)
    {
        foreach (var bad in (string[])[new string('x', length), "a\tb"])
        {
            Assert.That(Headers.Of((name, "good")).With(name, bad).Count, Is.Zero, "a value of another trace must not stay");
            Assert.That(Headers.TryRead([("own", "1"), (name, bad)], out var read), Is.True);
            Assert.That(read, Is.EquivalentTo(Headers.Of(("own", "1"))));
        }

        Assert.That(Headers.Of((name, new string('x', length - 1))).Count, Is.EqualTo(1));
    }

    [Test]
    public void The_limits_hold_for_headers_that_arrive()
    {
        var fits = Enumerable.Range(10, 4).Select(i => ($"h{i}", new string('x', (Headers.MaxCharacters / 4) - 3))).ToArray();

        Assert.That(Headers.TryRead(fits, out _), Is.True);
        Assert.That(Headers.TryRead([.. fits, ("more", "x")], out _), Is.False);
        Assert.That(Headers.TryRead([.. fits, (Headers.ReplayOf, new string('x', 100_000))], out _), Is.False);
    }

    [Test]
    public void Null_is_misuse()
    {
        Assert.That(() => Headers.Empty.With(null!, "x"), Throws.ArgumentNullException);
        Assert.That(() => Headers.Empty.With("x", null!), Throws.ArgumentNullException);
    }
}
