using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Sealing;

/// <summary>What is new and what was heard before, by numbers and by time.</summary>
public sealed class FreshnessTests
{
    private long _now = 1_000_000;

    [Test]
    public void A_packet_is_accepted_once()
    {
        var fresh = new Freshness<string>(() => _now);

        Assert.That(Judge(fresh, 1, 5), Is.EqualTo(SealFault.None));
        Assert.That(Judge(fresh, 1, 5), Is.EqualTo(SealFault.Replayed));
    }

    [Test]
    public void A_packet_that_comes_behind_a_later_one_is_refused()
    {
        var fresh = new Freshness<string>(() => _now);

        Assert.That(Judge(fresh, 1, 5), Is.EqualTo(SealFault.None));
        Assert.That(Judge(fresh, 1, 9), Is.EqualTo(SealFault.None), "numbers between went to others");
        Assert.That(Judge(fresh, 1, 7), Is.EqualTo(SealFault.Replayed));
    }

    [Test]
    public void Senders_and_channels_have_numbers_of_their_own()
    {
        var fresh = new Freshness<string>(() => _now);

        Assert.That(Judge(fresh, 1, 5), Is.EqualTo(SealFault.None));
        Assert.That(Judge(fresh, 2, 5), Is.EqualTo(SealFault.None));
        Assert.That(Judge(fresh, 1, 4, "other"), Is.EqualTo(SealFault.None), "two masters of a cluster have no common order");
    }

    [TestCase(-60_001)]
    [TestCase(60_001)]
    [TestCase(long.MinValue)]
    [TestCase(long.MaxValue)]
    public void A_packet_of_another_time_is_refused(long offset)
    {
        var instant = Math.Abs((double)offset) > 1e9 ? offset : _now + offset;

        Assert.That(new Freshness<string>(() => _now).Judge(new(0, 1, 1, instant), ""), Is.EqualTo(SealFault.Late));
    }

    [Test]
    public void What_is_forgotten_is_refused_by_its_age()
    {
        var fresh = new Freshness<string>(() => _now, many: 4);
        var old = Enumerable.Range(0, 6).Select(i => new SealHead(0, 1, i + 1, _now)).ToArray();
        foreach (var (head, i) in old.Select((head, i) => (head, i)))
        {
            Assert.That(fresh.Judge(head, $"channel{i}"), Is.EqualTo(SealFault.None));
        }

        _now += 61_000;
        for (var i = 0; i < 20; i++)
        {
            Assert.That(Judge(fresh, 2, 100 + i, $"new{i}"), Is.EqualTo(SealFault.None));
        }

        Assert.That(old.Select((head, i) => fresh.Judge(head, $"channel{i}")), Is.All.EqualTo(SealFault.Late));
    }

    [Test]
    public void A_flood_of_channels_lets_nothing_in_again()
    {
        var fresh = new Freshness<string>(() => _now, many: 4, tooMany: 16);
        var heads = Enumerable.Range(1, 100).Select(number => new SealHead(0, 1, number, _now)).ToArray();
        var first = heads.Select(head => fresh.Judge(head, $"channel{head.Number}")).ToArray();
        var again = heads.Select(head => fresh.Judge(head, $"channel{head.Number}")).ToArray();

        Assert.That(first, Is.All.EqualTo(SealFault.None), "they come in the order of their numbers");
        Assert.That(again, Is.All.EqualTo(SealFault.Replayed));
    }

    private SealFault Judge(Freshness<string> fresh, int sender, long number, string channel = "channel") =>
        fresh.Judge(new(0, (UInt128)sender, number, _now), channel);
}
