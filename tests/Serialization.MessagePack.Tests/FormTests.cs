using System.Collections.Immutable;
using System.Numerics;
using System.Text;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>The form of each type on the wire, as in the table of docs/serialization.md, and its round trip.</summary>
public sealed class FormTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [Test]
    public void Primitive_types_have_the_forms_of_the_document()
    {
        AssertForm<string?>(null, "c0");
        AssertForm<int?>(null, "c0");
        AssertForm(true, "c3");
        AssertForm(7, "07");
        AssertForm(-1L, "ff");
        AssertForm(ulong.MaxValue, "cf ffffffffffffffff");
        AssertForm(1.5f, "ca 3fc00000");
        AssertForm((Half)1.5, "ca 3fc00000");
        AssertForm(1.5, "cb 3ff8000000000000");
        AssertForm(double.NaN, "cb fff8000000000000");
        AssertForm(12.50m, "a5 31322e3530");
        AssertForm("ü", "a2 c3bc");
        AssertForm('x', "78");
        AssertForm(new byte[] { 1, 255 }, "c4 02 01ff");
        AssertForm(new BigInteger(256), "c4 02 0001");
        AssertForm(Guid.Empty, "d9 24 " + Convert.ToHexString("00000000-0000-0000-0000-000000000000"u8));
        AssertForm(DayOfWeek.Friday, "05");
        AssertForm(new Uri("http://a/b"), "aa " + Convert.ToHexString("http://a/b"u8));
        AssertForm(new Version(1, 2), "a3 312e32");
        AssertForm(Unit.Value, "80");
        AssertForm(Headers.Of(("a", "b")), "81 a161 a162");
    }

    [Test]
    public void Times_have_the_forms_of_the_document()
    {
        AssertForm(DateTime.UnixEpoch.AddSeconds(1), "d6 ff 00000001");
        AssertForm(DateTime.UnixEpoch.AddTicks(1), "d7 ff 00000190 00000000");
        AssertForm(DateTime.UnixEpoch.AddSeconds(-1), "c7 0c ff 00000000 ffffffffffffffff");
        AssertForm(new DateTimeOffset(1970, 1, 1, 0, 0, 1, TimeSpan.FromMinutes(90)), "92 d6ff00000001 5a");
        AssertForm(TimeSpan.FromTicks(5), "05");
        AssertForm(new DateOnly(1, 1, 2), "01");
        AssertForm(new TimeOnly(7), "07");
    }

    [Test]
    public void A_time_comes_back_as_the_same_instant_in_UTC()
    {
        var local = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Local);
        Assert.That((_packed.Back(local), _packed.Back(local).Kind), Is.EqualTo((local.ToUniversalTime(), DateTimeKind.Utc)));
        var unspecified = new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Unspecified);
        Assert.That((_packed.Back(unspecified).Ticks, _packed.Back(unspecified).Kind), Is.EqualTo((unspecified.Ticks, DateTimeKind.Utc)));
    }

    [Test]
    public void Composed_types_have_the_forms_of_the_document()
    {
        AssertForm(new Point(1, 2), "82 a158 01 a159 02");
        AssertForm<Point?>(null, "c0");
        AssertForm(new Place(1, 2), "82 a158 01 a159 02");
        AssertForm((1, "a"), "92 01 a161");
        AssertForm(Tuple.Create(1, "a"), "92 01 a161");
        AssertForm(KeyValuePair.Create(1, "a"), "92 01 a161");
        int[] numbers = [1, 300];
        AssertForm(numbers, "92 01 cd012c");
        AssertForm(new List<string> { "a" }, "91 a161");
        AssertForm(new HashSet<int> { 1 }, "91 01");
        AssertForm(ImmutableArray.Create(1, 2), "92 01 02");
        AssertForm(new Dictionary<string, int> { ["a"] = 1 }, "81 a161 01");
        AssertForm(new Dictionary<long, int> { [5] = 1 }, "81 05 01");
        AssertForm(new Dictionary<Guid, int> { [Guid.Empty] = 1 }, $"81 {_packed.Hex(Guid.Empty)} 01");
        AssertForm(new Dictionary<DateOnly, TimeSpan> { [new(1, 1, 2)] = TimeSpan.FromTicks(5) }, "81 01 05");
        AssertForm(new[,] { { 1, 2 }, { 3, 4 } }, "93 02 02 94 01 02 03 04");
    }

    [Test]
    public void A_collection_class_of_the_application_is_read_as_its_own_type()
    {
        AssertForm(new Numbers { 1, 300 }, "92 01 cd012c");
        Assert.That(_packed.FromHex<Numbers>("92 01 02"), Is.EqualTo([1, 2]), "small integers from a peer");
        AssertForm(new Names(0, null) { ["a"] = 1 }, "81 a161 01");
    }

    [Test]
    public void A_value_of_type_object_is_read_as_the_type_of_its_MessagePack_form()
    {
        Assert.That(_packed.Back<object>(new object?[] { 1, "a", 2.5, null, true }), Is.EqualTo(new object?[] { 1, "a", 2.5, null, true }));
        var point = (Dictionary<object, object>)_packed.Back<object>(new Point(1, 2))!;
        Assert.That((point.Count, Convert.ToInt32(point["X"]), Convert.ToInt32(point["Y"])), Is.EqualTo((2, 1, 2)));
    }

    [Test]
    public void Integers_are_read_as_floats_and_as_every_integer_type_that_holds_them()
    {
        Assert.That(_packed.FromHex<double>("07"), Is.EqualTo(7));
        Assert.That(_packed.FromHex<double>("ca 3fc00000"), Is.EqualTo(1.5));
        Assert.That(_packed.FromHex<byte>("d3 00000000000000ff"), Is.EqualTo(255));
        Assert.That(() => _packed.FromHex<byte>("cd 0100"), Throws.TypeOf<MalformedBodyException>());
        Assert.That(() => _packed.FromHex<int>("cb 3ff0000000000000"), Throws.TypeOf<MalformedBodyException>());
    }

    [Test]
    public void An_empty_body_is_null_where_the_type_allows_null()
    {
        Assert.That(_packed.Deserialize<string>(default), Is.Null);
        Assert.That(_packed.Deserialize<int?>(default), Is.Null);
        Assert.That(
            () => _packed.Deserialize<int>(default), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("a 32-bit integer"));
    }

    [Test]
    public void JSON_has_the_forms_that_the_document_states()
    {
        AssertJson(12.50m, "12.50");
        AssertJson((Half)1.5, "1.5");
        AssertJson('x', "\"x\"");
        AssertJson(new byte[] { 1, 2 }, "\"AQI=\"");
        AssertJson(new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc), "\"2026-01-31T12:00:00Z\"");
        AssertJson(TimeSpan.FromMinutes(90), "\"01:30:00\"");
        AssertJson(new DateOnly(2026, 1, 31), "\"2026-01-31\"");
        AssertJson(new TimeOnly(12, 0), "\"12:00:00\"");
        AssertJson(DayOfWeek.Friday, "5");
        AssertJson(Tuple.Create(1, "a"), "{\"Item1\":1,\"Item2\":\"a\"}");
        AssertJson(KeyValuePair.Create(1, "a"), "{\"Key\":1,\"Value\":\"a\"}");
        AssertJson(new Dictionary<long, int> { [5] = 1 }, "{\"5\":1}");
        AssertJson(Int128.MaxValue, "170141183460469231731687303715884105727");
        AssertJson(Unit.Value, "{}");
        Assert.That(() => new JsonMessageSerializer().Bytes(double.NaN), Throws.TypeOf<NotSupportedException>());
        Assert.That(() => new JsonMessageSerializer().Bytes(new int[1, 1]), Throws.TypeOf<NotSupportedException>());
        Assert.That(new JsonMessageSerializer().Back<object>(1), Is.TypeOf<System.Text.Json.JsonElement>());

        static void AssertJson<T>(T value, string json) =>
            Assert.That(Encoding.UTF8.GetString(new JsonMessageSerializer().Bytes(value)), Is.EqualTo(json), typeof(T).ToString());
    }

    [Test]
    public void A_public_field_is_kept_and_text_that_is_not_UTF_8_is_replaced()
    {
        Assert.That(_packed.Back(new Vector3(1, 2, 3)), Is.EqualTo(new Vector3(1, 2, 3)));
        Assert.That(_packed.FromHex<string>("a1 ff"), Is.EqualTo("\uFFFD"), "text that is not UTF-8");
    }

    private void AssertForm<T>(T value, string hex)
    {
        Assert.That(_packed.Hex(value), Is.EqualTo(Convert.ToHexStringLower(Packed.Body(hex))), typeof(T).ToString());
        Assert.That(_packed.FromHex<T>(hex), Is.EqualTo(value), typeof(T).ToString());
    }

    public sealed record Point(int X, int Y);

    public readonly record struct Place(int X, int Y);

    public sealed class Numbers : List<int>;

    public sealed class Names(int capacity, IEqualityComparer<string>? comparer) : Dictionary<string, int>(capacity, comparer)
    {
        public Names()
            : this(0, null) { }
    }
}
