using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>The documented form of every type, and which other forms are understood.</summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class FormTests(bool isDynamic)
{
    private static readonly Guid s_id = new("00112233-4455-6677-8899-aabbccddeeff");

    private readonly MessagePackMessageSerializer _packed = Packed.Serializer(isDynamic);

    [Test]
    public void Scalars_have_their_documented_forms()
    {
        AssertForm(true, "c3");
        AssertForm((byte)200, "ccc8");
        AssertForm((sbyte)-100, "d09c");
        AssertForm((short)-200, "d1ff38");
        AssertForm((ushort)40000, "cd9c40");
        AssertForm(7u, "07");
        AssertForm((Int128)5, "05");
        AssertForm((UInt128)ulong.MaxValue + 1, "b43138343436373434303733373039353531363136");
        AssertForm((Int128)long.MinValue - 1, "b42d39323233333732303336383534373735383039");
        AssertForm((Half)1.5, "ca3fc00000");
        AssertForm(1.5f, "ca3fc00000");
        AssertForm(1.5, "cb3ff8000000000000");
        AssertForm(20.0, "cb4034000000000000");
        AssertForm(1.10m, "a4312e3130");
        AssertForm('ü', "a2c3bc");
        AssertForm("text", "a474657874");
        AssertForm<string?>(null, "c0");
        AssertForm<int?>(null, "c0");
        AssertForm<int?>(5, "05");
        AssertForm(s_id, "c41000112233445566778899aabbccddeeff");
        AssertForm(TimeSpan.FromSeconds(1), "ce00989680");
        AssertForm(new DateOnly(2026, 1, 31), "aa323032362d30312d3331");
        AssertForm(new TimeOnly(23, 59), "a832333a35393a3030");
        AssertForm(new Version(1, 2), "a3312e32");
        AssertForm(new Uri("/x", UriKind.Relative), "a22f78");
        AssertForm(Unit.Value, "80");
        AssertForm(DayOfWeek.Friday, "05");
    }

    [Test]
    public void Bytes_are_bin_in_an_array_and_in_memory()
    {
        AssertForm<byte[]>([1, 2], "c4020102");
        Assert.That(_packed.Hex<Memory<byte>>(new byte[] { 1, 2 }), Is.EqualTo("c4020102"));
        Assert.That(_packed.Hex<ReadOnlyMemory<byte>>(new byte[] { 1, 2 }), Is.EqualTo("c4020102"));
        Assert.That(_packed.FromHex<Memory<byte>>("c4020102").ToArray(), Is.EqualTo(new byte[] { 1, 2 }));
        Assert.That(_packed.FromHex<byte[]>("a441514944"), Is.EqualTo(new byte[] { 1, 2, 3 }), "base64, as JSON has it");
    }

    [Test]
    public void Times_are_timestamps_and_what_a_timestamp_cannot_say_stands_behind_it()
    {
        var utc = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);
        AssertForm(utc, "d6ff697deec0");
        AssertForm(utc.AddTicks(1), "d7ff00000190697deec0");
        AssertForm(DateTime.MaxValue.ToUniversalTime(), _packed.Hex(DateTime.MaxValue.ToUniversalTime()));
        AssertForm(new DateTimeOffset(utc), "d6ff697deec0");
        AssertForm(new DateTimeOffset(2026, 1, 31, 14, 0, 0, TimeSpan.FromHours(2)), "92d6ff697deec078");
        AssertForm(new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Unspecified), "92d6ff697deec0c0");
        Assert.That(_packed.Back(utc).Kind, Is.EqualTo(DateTimeKind.Utc));
        Assert.That(_packed.Back(new DateTime(2026, 1, 31)).Kind, Is.EqualTo(DateTimeKind.Unspecified));
        var local = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Local);
        Assert.That((_packed.Back(local), _packed.Back(local).Kind), Is.EqualTo((local, DateTimeKind.Local)));
        Assert.That(_packed.Back(new DateTimeOffset(2026, 1, 31, 14, 0, 0, TimeSpan.FromHours(2))).Offset, Is.EqualTo(TimeSpan.FromHours(2)));
        AssertForm(DateTimeOffset.MinValue, "c70cff00000000fffffff1886e0900");
        AssertForm(DateTimeOffset.MaxValue, "c70cff3b9ac99c0000003afff4417f");
        Assert.That(_packed.FromHex<DateTime>("b4323032362d30312d33315431323a30303a30305a"), Is.EqualTo(utc), "ISO 8601, as JSON has it");
        Assert.That(_packed.FromHex<DateTimeOffset>("d7ff00000194697deec0"), Is.EqualTo(new DateTimeOffset(utc.AddTicks(1))), "101 ns are cut to 100");
        Assert.That(() => _packed.FromHex<DateTime>("c70cff000000000000003afff44180"), Throws.TypeOf<MalformedBodyException>(), "the year 10000");
    }

    [Test]
    public void Other_forms_of_numbers_are_understood()
    {
        Assert.That(_packed.FromHex<decimal>("05"), Is.EqualTo(5m));
        Assert.That(_packed.FromHex<decimal>("cb3fb999999999999a"), Is.EqualTo(0.1m));
        Assert.That(_packed.FromHex<double>("05"), Is.EqualTo(5.0));
        Assert.That(_packed.FromHex<float>("cb3ff8000000000000"), Is.EqualTo(1.5f));
        Assert.That(_packed.FromHex<Guid>("d92430303131323233332d343435352d363637372d383839392d616162626363646465656666"), Is.EqualTo(s_id));
        Assert.That(_packed.FromHex<TimeSpan>("a830303a30303a3031"), Is.EqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(() => _packed.FromHex<int>("cb4014000000000000"), Throws.TypeOf<MalformedBodyException>(), "a float is no integer, as in JSON");
        Assert.That(() => _packed.FromHex<byte>("cd0100"), Throws.TypeOf<MalformedBodyException>());
        Assert.That(() => _packed.FromHex<int>("c0"), Throws.TypeOf<MalformedBodyException>());
    }

    [Test]
    public void Collections_are_arrays_and_dictionaries_are_maps()
    {
        AssertForm<int[]>([1, 2], "920102");
        AssertForm<List<string>>(["a"], "91a161");
        AssertForm<IReadOnlyList<int>>([1, 2], "920102");
        AssertForm<HashSet<int>>([1, 2], "920102");
        if (isDynamic)
        {
            AssertForm<IReadOnlySet<int>>(new HashSet<int> { 1, 2 }, "920102");
        }

        AssertForm(new Dictionary<string, int> { ["a"] = 1 }, "81a16101");
        if (isDynamic)
        {
            AssertForm(new Dictionary<int, bool> { [-1] = true }, "81ffc3");
        }

        Assert.That(_packed.Hex(new Dictionary<Guid, int> { [s_id] = 1 }), Does.StartWith("81d9243030"), "other keys are texts");
        Assert.That(_packed.Back(new Dictionary<Guid, int> { [s_id] = 1 }), Is.EqualTo(new Dictionary<Guid, int> { [s_id] = 1 }));
        Assert.That(_packed.FromHex<Dictionary<int, bool>>("81a22d31c3"), Is.EqualTo(new Dictionary<int, bool> { [-1] = true }), "the text of an integer");
        Assert.That(_packed.FromHex<Dictionary<string, bool>>("81ffc3"), Is.EqualTo(new Dictionary<string, bool> { ["-1"] = true }));
    }

    [Test]
    public void Tuples_are_arrays_and_records_are_maps()
    {
        AssertForm((1, "a"), "9201a161");
        AssertForm(Tuple.Create(1, "a"), "9201a161");
        AssertForm(new Reading("x", 1, null), "83a443697479a178a74465677265657301a44e6f7465c0");
        AssertForm(KeyValuePair.Create("a", 1), "82a34b6579a161a556616c756501");
        Assert.That(() => _packed.FromHex<(int, string)>("9101"), Throws.TypeOf<MalformedBodyException>(), "an item is missing");
        Assert.That(_packed.Back((1, (2, 3), "x", (int?)null)), Is.EqualTo((1, (2, 3), "x", (int?)null)));
    }

    [TestCase("null", "c0")]
    [TestCase("true", "c3")]
    [TestCase("18446744073709551615", "cfffffffffffffffff")]
    [TestCase("-9223372036854775808", "d38000000000000000")]
    [TestCase("-0", "cb8000000000000000")]
    [TestCase("0.1", "cb3fb999999999999a")]
    [TestCase("1e2", "cb4059000000000000")]
    [TestCase("1.50", "cb3ff8000000000000")]
    [TestCase("1e20", "cb4415af1d78b58c40")]
    [TestCase("18446744073709551617", "c714013138343436373434303733373039353531363137")]
    [TestCase("0.12345678901234567890123", "c71901302e3132333435363738393031323334353637383930313233")]
    [TestCase("1e400", "c70501316534303 0")]
    [TestCase("\"a\"", "a161")]
    [TestCase("[1,{\"a\":[]}]", "920181a16190")]
    public void Json_has_the_form_of_its_values(string json, string hex)
    {
        hex = hex.Replace(" ", "", StringComparison.Ordinal);
        var element = JsonElement.Parse(json);
        Assert.That(_packed.Hex(element), Is.EqualTo(hex));
        Assert.That(_packed.Hex(JsonNode.Parse(json)), Is.EqualTo(hex));
        Assert.That(_packed.Hex<object?>(element), Is.EqualTo(hex));
        Assert.That(JsonElement.DeepEquals(_packed.FromHex<JsonElement>(hex), element), Is.True);
        Assert.That(JsonNode.DeepEquals(_packed.FromHex<JsonNode>(hex), JsonNode.Parse(json)), Is.True);
    }

    [TestCase(1024)]
    [TestCase(1025)]
    [TestCase(100_000)]
    public void A_number_of_JSON_may_be_of_any_length(int digits)
    {
        var number = JsonElement.Parse(new string('7', digits));
        Assert.That(_packed.Back(number).GetRawText(), Is.EqualTo(number.GetRawText()));
    }

    [TestCase("-7.9228162514264337593543950335")]
    [TestCase("-0.0000000000000000000000000001")]
    [TestCase("79228162514264337593543950335")]
    [TestCase("0.0000000000000000000000000000")]
    public void The_longest_decimals_keep_every_digit(string text) =>
        Assert.That(_packed.Back(decimal.Parse(text, CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture), Is.EqualTo(text));

    [TestCase("c4020102", "\"AQI=\"")]
    [TestCase("d6ff697deec0", "\"2026-01-31T12:00:00Z\"")]
    [TestCase("cb7ff0000000000000", "\"Infinity\"")]
    [TestCase("ca3dcccccd", "0.1")]
    [TestCase("8101c3", "{\"1\":true}")]
    public void What_json_lacks_becomes_what_json_has_for_it(string hex, string json) =>
        Assert.That(_packed.FromHex<JsonElement>(hex).GetRawText(), Is.EqualTo(json));

    [TestCase("c403010203")]
    [TestCase("d40201")]
    [TestCase("c70c01312c22696e6a6563743a31")] // an extension that says it is a number
    [TestCase("81c3c3")]
    public void What_has_no_json_is_refused(string hex)
    {
        if (hex.StartsWith("c403", StringComparison.Ordinal))
        {
            hex = "81" + hex + "c3"; // a key of bytes
        }

        Assert.That(() => _packed.FromHex<JsonElement>(hex), Throws.TypeOf<MalformedBodyException>());
    }

    private void AssertForm<T>(T value, string hex)
    {
        Assert.That(_packed.Hex(value), Is.EqualTo(hex));
        Assert.That(_packed.FromHex<T>(hex), Is.EqualTo(value));
    }
}
