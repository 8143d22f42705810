using System.Net;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class DnsMessageTests
{
    private const int Answer = 0x8180;

    // RFC 1035, section 4.1.4, as a server would send it: the owner points to the question.
    private static readonly byte[] s_compressed =
    [
        0xAB, 0xCD, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0,
        7, (byte)'e', (byte)'x', (byte)'a', (byte)'m', (byte)'p', (byte)'l', (byte)'e', 3, (byte)'c', (byte)'o', (byte)'m', 0, 0, 1, 0, 1,
        0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0x2C, 0, 4, 93, 184, 216, 34,
    ];

    [Test]
    public void An_answer_with_a_pointer_is_read()
    {
        var message = DnsMessage.Parse(s_compressed);
        DnsRecord expected = new AddressRecord("example.com", TimeSpan.FromSeconds(300), IPAddress.Parse("93.184.216.34"));
        Assert.That(message.Answers, Is.EqualTo([expected]));
        Assert.That((message.Code, message.IsTruncated, message.CanTell), Is.EqualTo((DnsResponseCode.NoError, false, true)));
    }

    [Test]
    public void Every_kind_of_record_is_read()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer).Question("w", DnsType.A)
            .A("w", "10.0.0.1", 5).Aaaa("w", "fd00::1", 6).Cname("x", "w.internal", 7)
            .Srv("s", 1, 2, 3, "w.internal", 8).Txt("t", "one ", "two", "", "-ü").ToArray());
        DnsRecord[] expected =
        [
            new AddressRecord("w", TimeSpan.FromSeconds(5), IPAddress.Parse("10.0.0.1")),
            new AddressRecord("w", TimeSpan.FromSeconds(6), IPAddress.Parse("fd00::1")),
            new AliasRecord("x", TimeSpan.FromSeconds(7), "w.internal"),
            new ServiceRecord("s", TimeSpan.FromSeconds(8), 1, 2, 3, "w.internal"),
            new TextRecord("t", TimeSpan.FromSeconds(60), "one two-ü"),
        ];
        Assert.That(message.Answers, Is.EqualTo(expected));
    }

    [Test]
    public void Sections_are_kept_apart()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer | 3).Soa("internal", 60, 30)
            .Additional(w => w.A("w", "10.0.0.1")).ToArray());
        Assert.That(message.Code, Is.EqualTo(DnsResponseCode.NameError));
        Assert.That(message.Authority, Is.EqualTo([new AuthorityRecord("internal", TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(30))]));
        Assert.That((message.Answers.Length, message.Additional.Length), Is.EqualTo((0, 1)));
    }

    [Test]
    public void A_compressed_target_of_an_srv_record_is_accepted()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer).Question("w.internal", DnsType.Srv)
            .Record("s", DnsType.Srv, 60, w => w.Number(2, 1).Number(2, 2).Number(2, 3).Raw(1, (byte)'a', 0xC0, 12)).ToArray());
        Assert.That(((ServiceRecord)message.Answers[0]).Target, Is.EqualTo("a.w.internal"));
    }

    [Test]
    public void Records_of_other_types_and_classes_are_skipped()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer)
            .Record("w", (DnsType)99, 60, w => w.Raw(1, 2, 3))
            .Record("w", DnsType.A, 60, w => w.Raw(1, 2, 3), recordClass: 3)
            .A("w", "10.0.0.1").ToArray());
        Assert.That(message.Answers, Has.Length.EqualTo(1));
    }

    [Test]
    public void Of_a_truncated_answer_no_records_are_read()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer | 0x0200).A("w", "10.0.0.1").ToArray().AsSpan()[..^6]);
        Assert.That((message.IsTruncated, message.Answers.Length), Is.EqualTo((true, 0)));
    }

    [Test]
    public void Edns_has_the_upper_bits_of_the_code()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer).Additional(w => w.Record("", DnsType.Opt, 1L << 24, _ => { }, 1232)).ToArray());
        Assert.That(message.Code, Is.EqualTo(DnsResponseCode.BadVersion));
    }

    [Test]
    public void A_time_to_live_with_the_highest_bit_is_zero()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer).Record("w", DnsType.Cname, 0x80000001, w => w.Name("x")).ToArray());
        Assert.That(message.Answers[0].TimeToLive, Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public void Bytes_that_are_no_plain_characters_do_not_become_dots()
    {
        var message = DnsMessage.Parse(new PacketWriter().Flags(Answer).Record("w", DnsType.Cname, 1, w => w.Raw(4, (byte)'a', (byte)'.', 0, (byte)'\\', 0)).ToArray());
        var target = ((AliasRecord)message.Answers[0]).Target;
        Assert.That(target, Is.EqualTo(@"a\046\000\092"));
        Assert.That(DnsName.ToWire(target), Is.EqualTo(new byte[] { 4, (byte)'a', (byte)'.', 0, (byte)'\\', 0 }));
    }

    [TestCase(0xC00C, TestName = "A_name_that_points_to_itself_is_refused")]
    [TestCase(0xC018, TestName = "A_name_that_points_forward_is_refused")]
    [TestCase(0xFFFF, TestName = "A_name_that_points_outside_is_refused")]
    public void A_bad_jump_is_refused(int jump)
    {
        // All the rest is right: the jump forward is to byte 24, where an empty name is the record's data.
        Refuse(Record(jump));
        Assert.That(DnsMessage.Parse(Record(0xC003).ToArray()).Answers, Is.Empty, "backward, to the 0 in the header");

        static PacketWriter Record(int jump) =>
            new PacketWriter().Flags(0x8100).Put(6, 1).Number(2, jump).Number(2, 99).Number(2, 1).Number(4, 60).Number(2, 1).Raw(0);
    }

    [Test]
    public void Two_names_that_point_to_each_other_are_refused()
    {
        // At 12 a label and a pointer to 16, at 16 a pointer back to 12.
        var writer = new PacketWriter().Flags(Answer).Put(6, 2).Raw(1, (byte)'a', 0xC0, 16, 0xC0, 12);
        Refuse(writer.Raw(new byte[20]));
    }

    [Test]
    public void A_long_chain_of_pointers_is_refused()
    {
        var writer = new PacketWriter().Flags(Answer);
        writer.Record("w", (DnsType)99, 1, w =>
        {
            var at = w.Length;
            w.Number(1, 0);
            for (var i = 0; i < 40; i++)
            {
                var previous = at;
                at = w.Length;
                w.Number(2, 0xC000 | previous);
            }
        });
        var last = writer.Length - 2;
        Refuse(writer.Record("w", DnsType.Cname, 1, w => w.Number(2, 0xC000 | last)));
    }

    [Test]
    public void A_name_of_255_bytes_is_read_and_a_longer_one_refused()
    {
        var label = new string('a', 63);
        var longest = $"{label}.{label}.{label}.{label[..61]}";
        Assert.That(DnsMessage.Parse(new PacketWriter().Flags(Answer).A(longest, "10.0.0.1").ToArray()).Answers[0].Name, Is.EqualTo(longest));
        Refuse(new PacketWriter().Flags(Answer).A(longest + "a", "10.0.0.1"));
    }

    [Test]
    public void A_label_of_a_reserved_kind_is_refused() => Refuse(new PacketWriter().Flags(Answer).Put(6, 1).Raw(0x41, (byte)'a', 0).Raw(new byte[12]));

    [TestCase(1, 5)]
    [TestCase(28, 15)]
    [TestCase(33, 6)]
    [TestCase(6, 21)]
    public void Data_of_a_wrong_length_is_refused(int type, int length) =>
        Refuse(new PacketWriter().Flags(Answer).Record("w", (DnsType)type, 60, w => w.Raw(new byte[length])));

    [Test]
    public void A_text_beyond_its_record_is_refused() =>
        Refuse(new PacketWriter().Flags(Answer).Record("w", DnsType.Txt, 60, w => w.Raw(5, (byte)'a')).A("x", "10.0.0.1"));

    [Test]
    public void A_packet_that_ends_early_is_refused_wherever_it_ends()
    {
        for (var length = 0; length < s_compressed.Length; length++)
        {
            Assert.That(() => DnsMessage.Parse(s_compressed.AsSpan(0, length)), Throws.TypeOf<DnsFormatException>(), $"{length} bytes");
        }
    }

    [Test]
    public void More_records_are_promised_than_come() => Refuse(new PacketWriter().Flags(Answer).A("w", "10.0.0.1").Put(6, ushort.MaxValue));

    private static void Refuse(PacketWriter writer) =>
        Assert.That(() => DnsMessage.Parse(writer.ToArray()), Throws.TypeOf<DnsFormatException>());
}
