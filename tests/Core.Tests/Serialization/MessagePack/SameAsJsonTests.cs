using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>
/// What JSON gives back, MessagePack gives back: the same values, compared by the JSON text of what came back from either.
/// That text tells kinds and offsets of times apart, and negative zero from zero.
/// </summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class SameAsJsonTests(bool isDynamic)
{
    private static readonly JsonSerializerOptions s_named = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly JsonMessageSerializer _json = new(s_named);
    private readonly MessagePackMessageSerializer _packed = Packed.Serializer(isDynamic, s_named);

    private static readonly Gen<string> s_text = Gen.OneOf(
        Gen.Elements("", "a", "grüße", "世界", "🌍", "\"\\\u0001\0", "\u2028", new string('x', 40), new string('ü', 300)),
        Gen.Choose(0x20, 0xd7ff).Select(c => (char)c).ArrayOf().Select(c => new string(c)));

    private static readonly Gen<long> s_long = Gen.OneOf(
        Gen.Choose(-200, 70_000).Select(i => (long)i),
        Gen.Choose(0, 63).SelectMany(shift => Gen.Choose(-3, 3).Select(near => (1L << shift) + near)),
        Gen.Elements(long.MinValue, long.MaxValue));

    private static readonly Gen<double> s_double = Gen.OneOf(
        s_long.Select(l => (double)l),
        s_long.Select(BitConverter.Int64BitsToDouble),
        Gen.Choose(-100_000, 100_000).Select(i => i / 100.0),
        Gen.Elements(0.0, -0.0, double.Epsilon, double.MaxValue, double.NaN, double.PositiveInfinity, double.NegativeInfinity));

    // Long ones, and prices: 1.50 and 1.5 are equal and not the same.
    private static readonly Gen<decimal> s_decimal = Gen.OneOf(
        from low in s_long
        from high in Gen.Choose(0, int.MaxValue)
        from scale in Gen.Choose(0, 28)
        from isNegative in Gen.Elements(true, false)
        select new decimal((int)low, (int)(low >> 32), high, isNegative, (byte)scale),
        from cents in Gen.Choose(-2000, 2000) from scale in Gen.Choose(0, 4) select new decimal(Math.Abs(cents), 0, 0, cents < 0, (byte)scale));

    private static readonly Gen<long> s_ticks = s_long.Select(l => Math.Abs(l % DateTime.MaxValue.Ticks));

    private static readonly Gen<DateTime> s_time =
        from ticks in s_ticks
        from kind in Gen.Elements(DateTimeKind.Utc, DateTimeKind.Local, DateTimeKind.Unspecified)
        select new DateTime(Math.Clamp(ticks, TimeSpan.TicksPerDay * 2, DateTime.MaxValue.Ticks - (TimeSpan.TicksPerDay * 2)), kind);

    private static readonly Gen<DateTimeOffset> s_offset =
        from time in s_time
        from minutes in Gen.Choose(-14 * 60, 14 * 60)
        select new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Unspecified), TimeSpan.FromMinutes(minutes));

    private static readonly Gen<Guid> s_guid = Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(16).Select(b => new Guid(b));

    private static readonly Gen<Level> s_level = Gen.Elements((Level)(-7), Level.Low, Level.High, (Level)99);

    private static readonly Gen<Leaf> s_leaf =
        from text in s_text
        from number in s_long
        from real in s_double
        from time in s_time
        from level in s_level
        select new Leaf(text, (int)number, real, time) { Level = level, Long = number, Maybe = number % 2 == 0 ? null : (short)number };

    private static readonly Gen<JsonNode?> s_node = Node(3);

    [Test]
    public void Scalars()
    {
        Same(s_text);
        Same(s_long);
        Same(s_double);
        Same(s_decimal);
        Same(s_time);
        Same(s_offset);
        Same(s_guid);
        Same(s_level);
        Same(s_ticks.Select(TimeSpan.FromTicks));
        Same(s_long.Select(TimeSpan.FromTicks));
        Same(s_long.Select(l => (int)l));
        Same(s_long.Select(l => (uint)l));
        Same(s_long.Select(l => (short)l));
        Same(s_long.Select(l => (ushort)l));
        Same(s_long.Select(l => (byte)l));
        Same(s_long.Select(l => (sbyte)l));
        Same(s_long.Select(l => (ulong)l));
        Same(s_long.Select(l => (Int128)l * l));
        Same(s_long.Select(l => (UInt128)(ulong)l * (ulong)l));
        Same(s_double.Select(d => (float)d));
        Same(s_double.Select(d => (Half)d));
        Same(s_time.Select(DateOnly.FromDateTime));
        Same(s_time.Select(TimeOnly.FromDateTime));
        Same(s_long.Select(l => (l & 1) == 0));
        Same(Gen.Choose(0, 0xffff).Select(c => (char)c));
        Same(s_text.Select(t => new Uri(t, UriKind.RelativeOrAbsolute)));
        Same(s_long.Select(l => new Version((int)(l & 0xff), (int)(l >> 8 & 0xff))));
        Same(s_long.Select(l => l % 3 == 0 ? (long?)null : l));
        Same(s_double.Select(d => d > 0 ? (double?)null : d));
    }

    [Test]
    public void Objects_with_parameters_and_members()
    {
        Same(s_leaf);
        Same(s_leaf.Select(l => new Struct(l.Text, l.Long)));
        Same(s_leaf.Select(l => l.Number % 2 == 0 ? (Struct?)null : new Struct(l.Text, l.Long)));
        Same(from leaf in s_leaf from more in s_leaf.ArrayOf() select new Branch { Leaf = leaf, Leaves = [.. more], Next = new() { Leaf = leaf } });
        Same(from leaf in s_leaf
             from id in s_guid
             from span in s_ticks
             from cost in s_decimal
             from at in s_offset
             select new Wide
             {
                 Id = id,
                 Span = TimeSpan.FromTicks(span),
                 Cost = cost,
                 At = at,
                 Bytes = Encoding.UTF8.GetBytes(leaf.Text),
                 Text = leaf.Text,
                 Any = JsonSerializer.SerializeToElement(leaf.Text),
                 By = new() { [leaf.Text] = [leaf.Long] },
                 Only = DateOnly.FromDateTime(leaf.Time),
             });
        Same<Shape>(Gen.OneOf(s_double.Select(Shape (d) => new Circle(d)), s_text.Select(Shape (t) => new Named { Name = t })));
        Same(s_leaf.Select(l => KeyValuePair.Create(l.Text, l)));
        Same(s_leaf.Select(l => Tuple.Create(l.Text, l.Long, l.Level)));
        Same(s_leaf.Select(l => new WithNames(l.Text.Length % 2 == 0 ? null : l.Text, l.Level)));
    }

    [Test]
    public void Sequences_of_every_kind()
    {
        var many = s_leaf.ArrayOf();
        Same(many);
        Same(many.Select(m => m.ToList()));
        Same(many.Select(IEnumerable<Leaf> (m) => m));
        Same(many.Select(IList<Leaf> (m) => m));
        Same(many.Select(ICollection<Leaf> (m) => m));
        Same(many.Select(IReadOnlyList<Leaf> (m) => m));
        Same(many.Select(IReadOnlyCollection<Leaf> (m) => m));
        Same(many.Select(m => new Queue<Leaf>(m)));
        Same(many.Select(m => new Stack<Leaf>(m)));
        Same(many.Select(m => new LinkedList<Leaf>(m)));
        Same(many.Select(m => new Collection<Leaf>(m)));
        Same(many.Select(m => new ObservableCollection<Leaf>(m)));
        Same(many.Select(m => new ConcurrentQueue<Leaf>(m)));
        Same(many.Select(m => m.ToImmutableArray()));
        Same(many.Select(m => m.ToImmutableList()));
        Same(many.Select(m => new System.Collections.ArrayList(m.Select(l => (object)l.Text).ToArray())));
        var longs = s_long.ArrayOf();
        Same(longs);
        Same(longs.Select(l => new HashSet<long>(l)));
        Same(longs.Select(ISet<long> (l) => new HashSet<long>(l)));
        Same(longs.Select(l => new SortedSet<long>(l)));
        Same(longs.Select(l => (Memory<long>)l));
        Same(longs.Select(l => l.Select(i => (byte)i).ToArray()));
        Same(longs.Select(l => (ReadOnlyMemory<byte>)l.Select(i => (byte)i).ToArray()));
        Same(longs.ArrayOf().Select(l => l.Select(i => i.ToList()).ToArray()));
        Same(s_text.ArrayOf().Select(t => t.Select(i => i.Length == 1 ? null : i).ToArray()));
    }

    [Test]
    public void Dictionaries_of_every_kind()
    {
        var pairs = Gen.Zip(s_text, s_leaf).ArrayOf().Select(p => p.DistinctBy(i => i.Item1).ToDictionary(i => i.Item1, i => i.Item2));
        Same(pairs);
        Same(pairs.Select(IDictionary<string, Leaf> (p) => p));
        Same(pairs.Select(IReadOnlyDictionary<string, Leaf> (p) => p));
        Same(pairs.Select(p => new SortedDictionary<string, Leaf>(p, StringComparer.Ordinal)));
        Same(pairs.Select(p => p.ToImmutableDictionary()), ordered: false);
        Same(pairs.Select(p => new ConcurrentDictionary<string, Leaf>(p)), ordered: false);
        Same(pairs.Select(p => p.ToDictionary(i => i.Key, i => (object)i.Value)));
        Same(pairs.Select(p => new System.Collections.Hashtable(p.ToDictionary(i => i.Key, i => i.Value.Long))), ordered: false);
        Keyed(s_long);
        Keyed(s_long.Select(l => (int)l));
        Keyed(s_long.Select(l => (ulong)l));
        Keyed(s_long.Select(l => (byte)l));
        Keyed(s_guid);
        Keyed(s_offset);
        Keyed(s_time);
        Keyed(s_decimal);
        Keyed(Gen.Elements(Level.Low, Level.High));
        Keyed(Gen.Elements(true, false));
        Keyed(s_long.Select(TimeSpan.FromTicks));

        void Keyed<TKey>(Gen<TKey> keys)
            where TKey : notnull =>
            Same(keys.ArrayOf().Select(all => all.Distinct().ToDictionary(k => k, k => k.ToString())));
    }

    // Numbers are equal here, and 1.50 is 1.5; all else is the same, and in the same order.
    [Test]
    public void Json_itself()
    {
        Same(s_node, IsEqual);
        Same(s_node.Select(n => JsonSerializer.SerializeToElement(n)), IsEqual);
        Same(s_node.Select(n => (object?)JsonSerializer.SerializeToElement(n)), IsEqual);
        Same(s_node.ArrayOf().Select(n => new JsonArray([.. n.Select(i => i?.DeepClone())])), IsEqual);

        static bool IsEqual(string a, string b) => IsEqualInAnyOrder(a, b) && Others(a).SequenceEqual(Others(b));
    }

    [TestCase("1.50", "1.5")]
    [TestCase("[-0.10,2.00]", "[-0.1,2]")]
    public void A_number_of_JSON_comes_back_equal_without_its_zeros(string json, string back) =>
        Assert.That(_packed.Back(JsonElement.Parse(json)).GetRawText(), Is.EqualTo(back));

    [Test]
    public void Every_cut_of_a_body_reads_as_the_body()
    {
        var value = new Branch
        {
            Leaf = new("grüße", 300, 0.5, DateTime.UnixEpoch) { Long = 1L << 40, Level = Level.High },
            Leaves = [new(new('x', 300), -1, -0.0, DateTime.UnixEpoch) { Long = -1, Maybe = 5 }],
            Next = new() { Leaf = new("", 0, double.NaN, DateTime.MaxValue) { Long = 0 } },
        };
        var body = _packed.Bytes(value);
        var expected = Text(value);
        for (var cut = 0; cut <= body.Length; cut++)
        {
            Assert.That(Text(_packed.Deserialize<Branch>(Packed.InPieces(body, cut))), Is.EqualTo(expected), $"cut at {cut}");
        }
    }

    [Test]
    public void A_body_of_empty_pieces_is_empty()
    {
        Assert.That(_packed.Deserialize<Branch>(Packed.InPieces([], 0, 0)), Is.Null);
        Assert.That(() => _packed.Deserialize<int>(Packed.InPieces([], 0, 0)), Throws.TypeOf<MalformedBodyException>());
    }

    [Test]
    public void Value_tuples_keep_their_items_wherever_they_are()
    {
        Assert.That(_packed.Back(new Queue<(int, string)>([(1, "a")])), Is.EqualTo(new[] { (1, "a") }));
        Assert.That(_packed.Back(new Stack<(int, (string, Level)?)>([(1, ("a", Level.High))])), Is.EqualTo(new[] { (1, ((string, Level)?)("a", Level.High)) }));
        Assert.That(_packed.Back(ImmutableDictionary<string, (int, double)>.Empty.Add("k", (1, double.NaN)))!["k"], Is.EqualTo((1, double.NaN)));
        Assert.That(_packed.Back(new Queue<List<(int, string)>>([[(1, "a")]]))!.Single(), Is.EqualTo(new[] { (1, "a") }));
        Assert.That(_packed.Back(new Queue<(int, int, int, int, int, int, int, string)>([(1, 2, 3, 4, 5, 6, 7, "8")]))!.Single().Item8, Is.EqualTo("8"));
        Assert.That(_packed.Back((Memory<(int, string)>)new[] { (1, "a") }).ToArray(), Is.EqualTo(new[] { (1, "a") }));
        Assert.That(_packed.Back<object>((1, "a"))!.ToString(), Is.EqualTo("""{"Item1":1,"Item2":"a"}"""));
    }

    private void Same<T>(Gen<T> values, bool ordered = true) => Same(values, ordered ? (a, b) => a == b : IsEqualInAnyOrder);

    private void Same<T>(Gen<T> values, Func<string, string, bool> isSame) =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(60), Prop.ForAll(values.ToArbitrary(), value =>
        {
            var expected = Text(_json.Back(value));
            var body = _packed.Bytes(value);
            var actual = Text(_packed.Deserialize<T>(body));
            // In two pieces, at a place that another value has elsewhere, and in many.
            var cut = body.Length * 7 % (body.Length + 1);
            Assert.That(Text(_packed.Deserialize<T>(Packed.InPieces(body, cut))), Is.EqualTo(actual), $"{typeof(T)}, cut at {cut} of {body.Length}");
            if (body.Length < 100)
            {
                Assert.That(Text(_packed.Deserialize<T>(Packed.InPieces(body, [.. Enumerable.Repeat(1, body.Length)]))), Is.EqualTo(actual), $"{typeof(T)}, byte by byte");
            }

            Assert.That(isSame(actual, expected), Is.True, () => $"{typeof(T)}: JSON gives back {expected} and MessagePack {actual}");
        }));

    private static bool IsEqualInAnyOrder(string a, string b) => JsonElement.DeepEquals(JsonElement.Parse(a), JsonElement.Parse(b));

    // Everything but the digits of numbers.
    private static List<string> Others(string json)
    {
        var tokens = new List<string>();
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
        while (reader.Read())
        {
            tokens.Add(reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName ? $"{reader.TokenType} {reader.GetString()}" : $"{reader.TokenType}");
        }

        return tokens;
    }

    private string Text<T>(T? value) => Encoding.UTF8.GetString(_json.Bytes(value));

    private static Gen<JsonNode?> Node(int depth)
    {
        var leaf = Gen.OneOf(
            s_text.Select(JsonNode? (t) => JsonValue.Create(t)),
            s_long.Select(JsonNode? (l) => JsonValue.Create(l)),
            s_decimal.Select(JsonNode? (d) => JsonValue.Create(d)),
            s_double.Where(double.IsFinite).Select(JsonNode? (d) => JsonValue.Create(d)),
            Gen.Elements<JsonNode?>(null, JsonValue.Create(true)));
        return depth == 0
            ? leaf.Select(n => n?.DeepClone())
            : Gen.OneOf(
                leaf.Select(n => n?.DeepClone()),
                Node(depth - 1).ArrayOf(3).Select(JsonNode? (n) => new JsonArray([.. n.Select(i => i?.DeepClone())])),
                Gen.Zip(s_text, Node(depth - 1)).ArrayOf(3).Select(JsonNode? (n) => new JsonObject(
                    n.DistinctBy(i => i.Item1).Select(i => KeyValuePair.Create(i.Item1, i.Item2?.DeepClone())))));
    }

    internal enum Level : short
    {
        Low,
        High = 300,
    }

    internal sealed record Leaf(string Text, int Number, double Real, DateTime Time)
    {
        public Level Level { get; set; }

        public required long Long { get; init; }

        public short? Maybe { get; init; }
    }

    internal readonly record struct Struct(string Text, long Number);

    internal sealed class Branch
    {
        public required Leaf Leaf { get; set; }

        public List<Leaf> Leaves { get; init; } = [];

        public Branch? Next { get; set; }
    }

    internal struct Wide
    {
        public Guid Id { get; set; }

        public TimeSpan Span { get; set; }

        public decimal Cost { get; set; }

        public DateTimeOffset At { get; set; }

        public byte[]? Bytes { get; set; }

        [JsonPropertyName("txt")]
        public string? Text { get; set; }

        public JsonElement Any { get; set; }

        public Dictionary<string, List<long>>? By { get; set; }

        public DateOnly Only { get; set; }
    }

    internal sealed record WithNames(
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name,
        [property: JsonConverter(typeof(JsonStringEnumConverter))] Level Level);

    [JsonDerivedType(typeof(Circle), "circle")]
    [JsonDerivedType(typeof(Named), 7)]
    internal abstract record Shape;

    internal sealed record Circle(double Radius) : Shape;

    internal sealed record Named : Shape
    {
        public string Name { get; init; } = "";
    }
}
