using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class DnsQuestionTests
{
    private static readonly DnsQuestion s_question = new("Weather.internal.", DnsType.A);

    [Test]
    public void A_query_asks_for_recursion_and_says_how_much_fits()
    {
        byte[] expected =
        [
            0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1,
            2, (byte)'a', (byte)'b', 1, (byte)'c', 0, 0, 33, 0, 1,
            0, 0, 41, 1232 >> 8, 1232 & 0xFF, 0, 0, 0, 0, 0, 0,
        ];
        Assert.That(new DnsQuestion("ab.c", DnsType.Srv).ToPacket(0x1234, edns: true), Is.EqualTo(expected));
    }

    [Test]
    public void Without_edns_it_ends_with_the_question()
    {
        var packet = new DnsQuestion("ab.c", DnsType.Srv).ToPacket(0x1234, edns: false);
        Assert.That((packet.Length, packet[11]), Is.EqualTo((22, 0)));
    }

    [Test]
    public void The_answer_repeats_id_and_question_in_any_case()
    {
        Assert.That(IsAnswer(w => w.Question("weather.INTERNAL", DnsType.A)), Is.True);
        Assert.That(IsAnswer(w => w.Question("weather.INTERNAL", DnsType.A).Id(8)), Is.False, "another id");
        Assert.That(IsAnswer(w => w.Question("weather.INTERNAL", DnsType.A).Flags(0x0100)), Is.False, "a question");
        Assert.That(IsAnswer(w => w.Question("weather.internaM", DnsType.A)), Is.False, "another name");
        Assert.That(IsAnswer(w => w.Question("weather.internal", DnsType.Aaaa)), Is.False, "another type");
        Assert.That(IsAnswer(w => w.Question("weather.internal", DnsType.A).Put(4, 2)), Is.False, "two questions");
        Assert.That(IsAnswer(_ => { }), Is.False, "no question");
        Assert.That(IsAnswer(w => w.Flags(0x8181)), Is.True, "a server that did not understand it");
        Assert.That(IsAnswer(w => w.Flags(0x8183)), Is.False, "that there is no such name must be said of a name");
        Assert.That(s_question.IsAnsweredBy([], 7), Is.False);
    }

    [TestCase("a..b")]
    [TestCase(".")]
    [TestCase("")]
    [TestCase("a b")]
    [TestCase("bücher.example")]
    [TestCase("a234567890123456789012345678901234567890123456789012345678901234.b")]
    public void What_is_no_name_is_refused(string name) =>
        Assert.That(() => new DnsQuestion(name, DnsType.A), Throws.ArgumentException.With.Message.Contains($"'{name}' is no DNS name"));

    [Test]
    public void A_name_that_is_too_long_is_refused() =>
        Assert.That(() => new DnsQuestion(string.Join('.', Enumerable.Repeat("abcdefg", 32)), DnsType.A), Throws.ArgumentException);

    private static bool IsAnswer(Action<PacketWriter> write)
    {
        var writer = new PacketWriter().Id(7).Flags(0x8180);
        write(writer);
        return s_question.IsAnsweredBy(writer.ToArray(), 7);
    }
}
