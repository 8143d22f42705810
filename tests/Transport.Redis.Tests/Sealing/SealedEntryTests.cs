using NUnit.Framework;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Sealing;

/// <summary>A node's entry in the directory, sealed, and what a stranger can make of two of them.</summary>
public sealed class SealedEntryTests
{
    private static readonly Announcement s_node = new("a", "weather", "host", 1, 1, 1, true);
    private static readonly Offer[] s_offers = [Offer("r:weather.fetch:_default"), Offer("s:weather.*:")];

    private long _now = 1_000_000;

    [Test]
    public void An_entry_is_read_by_a_node_with_the_same_key_and_shows_nothing()
    {
        var fields = EntryOf(1).Whole(s_node, new(3, 2, false), s_offers);

        Assert.That(EntryOf(1).TryRead("a", fields, out var entry), Is.True);
        Assert.That((entry!.Announced, entry.State), Is.EqualTo((s_node, new EntryState(3, 2, false))));
        Assert.That(entry.Offers, Is.EqualTo(s_offers));
        Assert.That(fields, Has.Length.EqualTo(EntryOf(1).FieldsOf(2)));
        Assert.That(fields.Select(f => System.Text.Encoding.Latin1.GetString((byte[])f.Value!)), Is.All.Not.Contains("weather"));
    }

    [Test]
    public void An_entry_that_is_put_back_is_not_read_after_a_minute()
    {
        var fields = EntryOf(1).Whole(s_node, new(3, 2, false), s_offers);
        _now += 61_000;

        Assert.That(EntryOf(1).TryRead("a", fields, out _), Is.False);
        Assert.That(EntryOf(1).TryReadState("a", fields[1].Value, out _), Is.False);
    }

    [Test]
    public void A_renewal_keeps_an_entry_readable()
    {
        var entry = EntryOf(1);
        var fields = entry.Whole(s_node, new(3, 2, false), s_offers);
        _now += 3_600_000;

        Assert.That(EntryOf(1).TryRead("a", [fields[0], .. entry.Renewal("a", new(3, 2, false))], out _), Is.True);
    }

    [Test]
    public void Parts_of_two_versions_or_of_two_nodes_do_not_fit()
    {
        var entry = EntryOf(1);
        var (before, after) = (entry.Whole(s_node, new(3, 2, false), s_offers), entry.Whole(s_node, new(4, 2, false), s_offers));
        var other = entry.Whole(s_node with { Id = "b" }, new(3, 2, false), s_offers);

        Assert.That(EntryOf(1).TryRead("a", [before[0], after[1]], out _), Is.False);
        Assert.That(EntryOf(1).TryRead("a", [after[0], before[1]], out _), Is.False);
        Assert.That(EntryOf(1).TryRead("b", before, out _), Is.False);
        Assert.That(EntryOf(1).TryRead("a", [before[0], other[1]], out _), Is.False);
        Assert.That(EntryOf(1).TryRead("a", [new("node", before[1].Value), before[1]], out _), Is.False);
        Assert.That(EntryOf(1).TryRead("a", [before[0]], out _), Is.False);
        Assert.That(EntryOf(1).TryRead("b", other, out _), Is.True);
    }

    [Test]
    public void Entries_with_other_keys_or_without_keys_are_told_apart()
    {
        var mine = EntryOf(1).Whole(s_node, new(3, 2, false), s_offers)[1].Value;
        var theirs = EntryOf(2).Whole(s_node, new(3, 2, false), s_offers)[1].Value;
        RedisValue plain = "3:2:0";

        Assert.That(new[] { mine, theirs, plain }.Select(EntryOf(1).IsOfOtherKeys), Is.EqualTo([false, true, false]));
        Assert.That(new[] { mine, theirs, plain }.Select(EntryOf(1).LacksSeal), Is.EqualTo([false, false, true]));
        Assert.That(new[] { mine, theirs, plain }.Select(new PlainEntry().IsOfOtherKeys), Is.EqualTo([true, true, false]));
    }

    private static Offer Offer(string text) => Redis.Offer.TryRead(text, out var offer) ? offer : throw new FormatException(text);

    private SealedEntry EntryOf(byte key)
    {
        var seal = NodeSealTests.SealOf(NodeSealTests.KeyOf(key));
        return new(seal, new(seal, () => _now), () => _now, id => $"mesh:member:{id}");
    }
}
