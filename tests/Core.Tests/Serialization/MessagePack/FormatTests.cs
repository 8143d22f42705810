using System.Text;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>The format itself, byte for byte as the specification has it.</summary>
public sealed class FormatTests
{
    [TestCase(0, "00")]
    [TestCase(127, "7f")]
    [TestCase(128, "cc80")]
    [TestCase(255, "ccff")]
    [TestCase(256, "cd0100")]
    [TestCase(65535, "cdffff")]
    [TestCase(65536, "ce00010000")]
    [TestCase(4294967295, "ceffffffff")]
    [TestCase(4294967296, "cf0000000100000000")]
    [TestCase(long.MaxValue, "cf7fffffffffffffff")]
    [TestCase(-1, "ff")]
    [TestCase(-32, "e0")]
    [TestCase(-33, "d0df")]
    [TestCase(-128, "d080")]
    [TestCase(-129, "d1ff7f")]
    [TestCase(-32768, "d18000")]
    [TestCase(-32769, "d2ffff7fff")]
    [TestCase(int.MinValue, "d280000000")]
    [TestCase(int.MinValue - 1L, "d3ffffffff7fffffff")]
    [TestCase(long.MinValue, "d38000000000000000")]
    public void Integers_take_their_shortest_form(long value, string hex)
    {
        Assert.That(Packed.Write((ref w) => w.WriteInteger(value)), Is.EqualTo(hex));
        Assert.That(Packed.Read(hex, (ref r) => r.ReadInt64()), Is.EqualTo(value));
        if (value >= 0)
        {
            Assert.That(Packed.Write((ref w) => w.WriteInteger((ulong)value)), Is.EqualTo(hex));
            Assert.That(Packed.Read(hex, (ref r) => r.ReadUInt64()), Is.EqualTo((ulong)value));
        }
    }

    [TestCase("cc01", 1)]
    [TestCase("cd0001", 1)]
    [TestCase("ce00000001", 1)]
    [TestCase("cf0000000000000001", 1)]
    [TestCase("d001", 1)]
    [TestCase("d10001", 1)]
    [TestCase("d200000001", 1)]
    [TestCase("d3ffffffffffffffff", -1)]
    public void Integers_in_longer_forms_are_read_all_the_same(string hex, long value) =>
        Assert.That(Packed.Read(hex, (ref r) => r.ReadInt64()), Is.EqualTo(value));

    [Test]
    public void The_largest_integer_is_beyond_the_signed_ones()
    {
        Assert.That(Packed.Write((ref w) => w.WriteInteger(ulong.MaxValue)), Is.EqualTo("cfffffffffffffffff"));
        Assert.That(Packed.Read("cfffffffffffffffff", (ref r) => r.ReadUInt64()), Is.EqualTo(ulong.MaxValue));
        Assert.That(() => Packed.Read("cfffffffffffffffff", (ref r) => r.ReadInt64()), Throws.TypeOf<MessagePackException>());
        Assert.That(() => Packed.Read("ff", (ref r) => r.ReadUInt64()), Throws.TypeOf<MessagePackException>());
    }

    [Test]
    public void Nil_booleans_and_floats_have_their_codes()
    {
        Assert.That(Packed.Write((ref w) => w.WriteNil()), Is.EqualTo("c0"));
        Assert.That(Packed.Write((ref w) => w.WriteBoolean(false)), Is.EqualTo("c2"));
        Assert.That(Packed.Write((ref w) => w.WriteBoolean(true)), Is.EqualTo("c3"));
        Assert.That(Packed.Write((ref w) => w.WriteFloat32(1.5f)), Is.EqualTo("ca3fc00000"));
        Assert.That(Packed.Write((ref w) => w.WriteFloat64(-1.5)), Is.EqualTo("cbbff8000000000000"));
        Assert.That(Packed.Write((ref w) => w.WriteFloat64(double.NaN)), Is.EqualTo("cb7ff8000000000000"));
        Assert.That(Packed.Write((ref w) => w.WriteFloat32(float.NaN)), Is.EqualTo("ca7fc00000"));
        Assert.That(Packed.Read("ca3fc00000", (ref r) => r.ReadDouble()), Is.EqualTo(1.5));
        Assert.That(Packed.Read("cbbff8000000000000", (ref r) => r.ReadSingle()), Is.EqualTo(-1.5f));
        Assert.That(Packed.Read("05", (ref r) => r.ReadDouble()), Is.EqualTo(5));
        Assert.That(Packed.Read("cfffffffffffffffff", (ref r) => r.ReadDouble()), Is.EqualTo((double)ulong.MaxValue));
        Assert.That(Packed.Read("c3", (ref r) => r.ReadBoolean()), Is.True);
        Assert.That(Packed.Read("c0", (ref r) => r.TryReadNil()), Is.True);
    }

    [TestCase(0, "a0")]
    [TestCase(31, "bf")]
    [TestCase(32, "d920")]
    [TestCase(255, "d9ff")]
    [TestCase(256, "da0100")]
    [TestCase(65535, "daffff")]
    [TestCase(65536, "db00010000")]
    public void Texts_have_the_header_of_their_length_in_bytes(int length, string header)
    {
        // One character of each width, so that characters and bytes differ.
        string[] texts = [new('a', length), new string('a', length % 2) + new string('ü', length / 2), new string('a', length % 3) + new string('世', length / 3)];
        foreach (var text in texts)
        {
            var hex = header + Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text));
            Assert.That(Packed.Write((ref w) => w.WriteString(text)) == hex, Is.True);
            Assert.That(Packed.Write((ref w) => w.WriteUtf8(Encoding.UTF8.GetBytes(text))) == hex, Is.True);
            Assert.That(Packed.Read(hex, (ref r) => r.ReadString()) == text, Is.True);
        }
    }

    [TestCase(0, "c400")]
    [TestCase(255, "c4ff")]
    [TestCase(256, "c50100")]
    [TestCase(65536, "c600010000")]
    public void Bytes_have_the_header_of_their_length(int length, string header)
    {
        byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        var hex = header + Convert.ToHexStringLower(bytes);
        Assert.That(Packed.Write((ref w) => w.WriteBinary(bytes)) == hex, Is.True);
        Assert.That(Packed.Read(hex, (ref r) => r.ReadBinary().ToArray()).AsSpan().SequenceEqual(bytes), Is.True);
    }

    [TestCase(0, "c700")]
    [TestCase(1, "d4")]
    [TestCase(2, "d5")]
    [TestCase(3, "c703")]
    [TestCase(4, "d6")]
    [TestCase(8, "d7")]
    [TestCase(16, "d8")]
    [TestCase(17, "c711")]
    [TestCase(255, "c7ff")]
    [TestCase(256, "c80100")]
    [TestCase(65536, "c900010000")]
    public void Extensions_have_the_header_of_their_length_and_then_their_type(int length, string header)
    {
        byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        var hex = $"{header}80{Convert.ToHexStringLower(bytes)}";
        Assert.That(Packed.Write((ref w) => w.WriteExtension(-128, bytes)) == hex, Is.True);
        Assert.That(
            Packed.Read(hex, (ref r) => (r.ReadExtension(out var type).ToArray(), type)) is (var read, -128) && read.AsSpan().SequenceEqual(bytes),
            Is.True);
    }

    [TestCase(0, "90", "80")]
    [TestCase(15, "9f", "8f")]
    [TestCase(16, "dc0010", "de0010")]
    [TestCase(65535, "dcffff", "deffff")]
    [TestCase(65536, "dd00010000", "df00010000")]
    public void Arrays_and_maps_have_the_header_of_their_count(int count, string array, string map)
    {
        Assert.That(Packed.Write((ref w) => w.WriteArrayHeader(count)), Is.EqualTo(array));
        Assert.That(Packed.Write((ref w) => w.WriteMapHeader(count)), Is.EqualTo(map));
        Assert.That(Packed.Read(array + new string('0', count * 2), (ref r) => Header(ref r, r.ReadArrayHeader())), Is.EqualTo(count));
        Assert.That(Packed.Read(map + new string('0', count * 4), (ref r) => Header(ref r, r.ReadMapHeader())), Is.EqualTo(count));

        static int Header(ref MessagePackReader reader, int count)
        {
            while (reader.Remaining > 0)
            {
                reader.Skip();
            }

            return count;
        }
    }

    [TestCase(0, 0u, "d6ff00000000")]
    [TestCase(4294967295, 0u, "d6ffffffffff")]
    [TestCase(0, 1u, "d7ff0000000400000000")]
    [TestCase(4294967296, 0u, "d7ff0000000100000000")]
    [TestCase((1L << 34) - 1, 999_999_999u, "d7ffee6b27ffffffffff")]
    [TestCase(1L << 34, 0u, "c70cff000000000000000400000000")]
    [TestCase(-1, 999_999_999u, "c70cff3b9ac9ffffffffffffffffff")]
    public void Timestamps_take_the_smallest_of_their_three_sizes(long seconds, uint nanoseconds, string hex)
    {
        Assert.That(Packed.Write((ref w) => w.WriteTimestamp(seconds, nanoseconds)), Is.EqualTo(hex));
        Assert.That(Packed.Read(hex, Read), Is.EqualTo((seconds, nanoseconds)));
        Assert.That(Packed.Read($"c70cff{nanoseconds:x8}{seconds:x16}", Read), Is.EqualTo((seconds, nanoseconds)), "in the largest form too");

        static (long, uint) Read(ref MessagePackReader reader)
        {
            reader.ReadTimestamp(out var seconds, out var nanoseconds);
            return (seconds, nanoseconds);
        }
    }

    [TestCase("d7ffee6b280000000000")] // 1,000,000,000 ns
    [TestCase("c70cff3b9aca000000000000000000")]
    [TestCase("d5ff0000")]
    [TestCase("d60100000000")]
    [TestCase("a0")]
    public void What_is_no_timestamp_is_refused(string hex) =>
        Assert.That(() => Packed.Read(hex, (ref r) => { r.ReadTimestamp(out _, out var n); return n; }), Throws.TypeOf<MessagePackException>());

    [TestCase("")]
    [TestCase("a1")]
    [TestCase("d9")]
    [TestCase("da00")]
    [TestCase("cc")]
    [TestCase("cfffff")]
    [TestCase("91")]
    [TestCase("8101")]
    [TestCase("dd00000002 00")]
    [TestCase("df7fffffff")]
    [TestCase("dbffffffff")]
    [TestCase("c6ffffffff 00")]
    [TestCase("d6ff0000")]
    [TestCase("c7")]
    [TestCase("c1")]
    [TestCase("91c1")]
    public void What_is_cut_off_or_never_used_is_refused(string hex) =>
        Assert.That(() => Packed.Read(hex, (ref r) => { r.Skip(); return 0; }), Throws.TypeOf<MessagePackException>());

    [Test]
    public void A_text_that_is_no_utf8_is_refused_and_half_a_surrogate_pair_becomes_the_replacement()
    {
        Assert.That(() => Packed.Read("a2c328", (ref r) => r.ReadString()), Throws.TypeOf<MessagePackException>());
        Assert.That(Packed.Write((ref w) => w.WriteString("a\ud800b")), Is.EqualTo("a561efbfbd62"));
    }

    [Test]
    public void The_message_says_what_was_found_where_and_what_was_expected() =>
        Assert.That(
            () => Packed.Read("0003a1", (ref r) => { r.Skip(); r.Skip(); return r.ReadBoolean(); }),
            Throws.TypeOf<MessagePackException>().With.Message.EqualTo("There is a string where a boolean is expected, at byte 3."));

    [Test]
    public void A_value_is_read_the_same_however_its_bytes_are_cut_into_pieces()
    {
        var hex = Packed.Write((ref w) =>
        {
            w.WriteArrayHeader(17);
            w.WriteInteger(-5L);
            w.WriteInteger(300L);
            w.WriteInteger(long.MinValue);
            w.WriteInteger(ulong.MaxValue);
            w.WriteFloat32(0.1f);
            w.WriteFloat64(0.1);
            w.WriteString("grüße");
            w.WriteString(new string('x', 40));
            w.WriteBinary([1, 2, 3]);
            w.WriteExtension(7, [1, 2, 3, 4]);
            w.WriteTimestamp(-1, 5);
            w.WriteNil();
            w.WriteBoolean(true);
            w.WriteMapHeader(1);
            w.WriteString("key");
            w.WriteArrayHeader(0);
            w.WriteInteger(1L);
            w.WriteInteger(2L);
            w.WriteInteger(3L);
        });
        var bytes = Convert.FromHexString(hex);
        var whole = Describe(new(bytes, maxDepth: 8));
        for (var first = 0; first <= bytes.Length; first++)
        {
            for (var second = 0; second <= Math.Min(bytes.Length - first, 20); second++)
            {
                var pieces = Packed.InPieces(bytes, first, second, 0);
                Assert.That(Describe(new(pieces, maxDepth: 8)), Is.EqualTo(whole));
                var skipping = new MessagePackReader(pieces, maxDepth: 8);
                skipping.Skip();
                Assert.That(skipping.Remaining, Is.Zero);
                Assert.That(skipping.Position, Is.EqualTo(bytes.Length));
            }
        }

        static string Describe(MessagePackReader r)
        {
            var text = new StringBuilder().Append(r.ReadArrayHeader()).Append(' ').Append(r.ReadInt64()).Append(' ').Append(r.ReadInt32())
                .Append(' ').Append(r.ReadInt64()).Append(' ').Append(r.ReadUInt64()).Append(' ').Append(r.ReadSingle()).Append(' ').Append(r.ReadDouble())
                .Append(' ').Append(r.ReadString()).Append(' ').Append(r.ReadString()).Append(' ').Append(Convert.ToHexString(r.ReadBinary()))
                .Append(' ').Append(Convert.ToHexString(r.ReadExtension(out var type))).Append(type);
            r.ReadTimestamp(out var seconds, out var nanoseconds);
            text.Append(seconds).Append(nanoseconds).Append(r.TryReadNil()).Append(r.ReadBoolean()).Append(r.ReadMapHeader())
                .Append(Encoding.UTF8.GetString(r.ReadUtf8())).Append(r.ReadArrayHeader()).Append(r.ReadInt32()).Append(r.ReadInt32()).Append(r.ReadInt32());
            return text.Append(r.Position).ToString();
        }
    }
}
