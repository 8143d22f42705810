using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>A body cannot nest without end, take memory for bytes that it does not have, or fill a table with one hash.</summary>
public sealed class LimitTests
{
    private readonly MessagePackMessageSerializer _packed = new();

    [TestCase(64, true)]
    [TestCase(65, false)]
    public void A_body_may_nest_64_levels_and_no_deeper(int depth, bool isFine)
    {
        AssertRead<JsonElement>(Nested(depth));
        AssertRead<JsonNode>(Nested(depth));
        AssertRead<object>(Nested(depth));
        AssertRead<Tree>(Nested(depth));
        AssertRead<Tree?[]>(Nested(depth));

        void AssertRead<T>(byte[] body) =>
            Assert.That(
                () => _packed.Deserialize<T>(body),
                isFine ? Throws.Nothing : Throws.TypeOf<MalformedBodyException>().With.Message.Contains("deeper than 64 levels"),
                typeof(T).ToString());
    }

    [Test]
    public void The_settings_change_the_depth()
    {
        var packed = new MessagePackMessageSerializer(new() { MaxDepth = 3 });
        Assert.That(() => packed.Deserialize<JsonElement>(Nested(3)), Throws.Nothing);
        Assert.That(
            () => packed.Deserialize<JsonElement>(Nested(4)),
            Throws.TypeOf<MalformedBodyException>().With.Message.Contains("deeper than 3"));
        packed = new(new() { MaxDepth = 500 });
        Assert.That(() => packed.Deserialize<Tree>(Nested(500)), Throws.Nothing);
        Assert.That(() => packed.Back(NestedJson(500)), Throws.Nothing);
    }

    [Test]
    public void A_hundred_thousand_levels_do_not_end_the_process()
    {
        Assert.That(() => _packed.Deserialize<Tree>(Nested(100_000)), Throws.TypeOf<MalformedBodyException>());
        byte[] below = [0x83, .. Packed.Body("a158 01 a159 02"), 0xa1, (byte)'z', .. Nested(100_000)];
        Assert.That(_packed.Deserialize<FormTests.Point>(below), Is.EqualTo(new FormTests.Point(1, 2)), "below an unknown member");
    }

    [Test]
    public void A_value_that_contains_itself_is_refused_when_it_is_written()
    {
        var link = new Link();
        link.Next = link;
        AssertRefused(link);
        var tree = new Tree();
        tree.Add(tree);
        AssertRefused(tree);
        var list = new List<object>();
        list.Add(list);
        AssertRefused(list);
        var graph = new Dictionary<string, Graph>();
        graph["a"] = new() { Edges = graph };
        AssertRefused(graph);
        Assert.That(_packed.Back(new Link { Next = new() })!.Next, Is.Not.Null, "the failed attempt has no effect");

        void AssertRefused<T>(T value) =>
            Assert.That(
                () => _packed.Bytes(value),
                Throws.TypeOf<NotSupportedException>().With.Message.Contains("or it contains itself"),
                typeof(T).ToString());
    }

    [Test]
    public void The_depth_limit_is_the_same_for_writing_and_reading()
    {
        var link = new Link();
        for (var i = 1; i < 64; i++)
        {
            link = new() { Next = link };
        }

        Assert.That(_packed.Bytes(_packed.Back(link)), Is.EqualTo(_packed.Bytes(link)));
        AssertTooDeep(new Link { Next = link });
        Assert.That(() => _packed.Bytes(NestedJson(64)), Throws.Nothing);
        AssertTooDeep(NestedJson(65));

        void AssertTooDeep<T>(T value) => Assert.That(
            () => _packed.Bytes(value), Throws.TypeOf<NotSupportedException>().With.Message.Contains("deeper than 64 levels"));
    }

    [TestCase("dd00ffffff c0")]
    [TestCase("df00ffffff c0 c0")]
    [TestCase("db00ffffff 61")]
    [TestCase("c600ffffff 61")]
    [TestCase("c900ffffff 01 61")]
    [TestCase("dd7fffffff c0")]
    [TestCase("dd80000000 c0")]
    [TestCase("ddffffffff c0")]
    [TestCase("df7fffffff c0 c0")]
    [TestCase("df80000000 c0 c0")]
    [TestCase("db7fffffff 61")]
    [TestCase("dbffffffff 61")]
    [TestCase("c67fffffff 61")]
    [TestCase("c97fffffff 01 61")]
    [TestCase("c9ffffffff 01 61")]
    [TestCase("91 91 91 dd7fffffff c0")]
    public void A_length_without_its_bytes_allocates_nothing(string hex)
    {
        AssertCheap<JsonElement>();
        AssertCheap<object[]>();
        AssertCheap<byte[]>();
        AssertCheap<string>();
        AssertCheap<long[][][][]>();
        AssertCheap<int[,]>();
        AssertCheap<Dictionary<string, Guid>>();
        AssertCheap<List<HashSet<Guid>>>();
        AssertCheap<System.Collections.BitArray>();

        void AssertCheap<T>()
        {
            Attempt<T>(); // creates what is created once for the type
            // The least of some attempts: the runtime itself allocates on this thread now and then, for a stack trace for instance.
            Assert.That(Enumerable.Range(0, 5).Min(_ => AllocatedBy<T>()), Is.LessThan(40_000), typeof(T).ToString());
        }

        long AllocatedBy<T>()
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Attempt<T>();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        void Attempt<T>() => Assert.That(() => _packed.FromHex<T>(hex), Throws.TypeOf<MalformedBodyException>(), typeof(T).ToString());
    }

    [Test]
    public void Nested_collections_that_claim_the_same_bytes_allocate_once()
    {
        // 60 nested arrays; each claims the rest of a megabyte for its elements, of eight bytes each.
        var body = new byte[1 << 20];
        body.AsSpan().Fill(0xc0);
        for (var i = 0; i < 60; i++)
        {
            byte[] header = [0xdd, 0x00, 0x0f, 0x00, 0x00];
            header.CopyTo(body, i * 5);
        }

        AssertCheap<object[]>();
        AssertCheap<Tree>();
        AssertCheap<long[][][][][][][][]>();
        AssertCheap<JsonElement>();

        void AssertCheap<T>()
        {
            Attempt<T>(); // creates what is created once for the type
            var before = GC.GetAllocatedBytesForCurrentThread();
            Attempt<T>();
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(12 << 20), typeof(T).ToString());
        }

        void Attempt<T>() => Assert.That(() => _packed.Deserialize<T>(body), Throws.TypeOf<MalformedBodyException>(), typeof(T).ToString());
    }

    [TestCase("93 ce7fffffff ce7fffffff 90")]
    [TestCase("93 ce00010000 ce00010000 90")]
    [TestCase("93 02 02 91 01")]
    public void A_table_whose_sides_do_not_match_its_elements_is_refused(string hex) =>
        Assert.That(() => _packed.FromHex<int[,]>(hex), Throws.TypeOf<MalformedBodyException>());

    [Test]
    public void Keys_with_colliding_hashes_take_no_longer_than_others()
    {
        // The hash of a long is the XOR of its halves: all these keys have the hash 0.
        var flood = Enumerable.Range(1, 100_000).Select(i => ((long)i << 32) | (uint)i).ToArray();
        Assert.That(flood.Select(k => k.GetHashCode()).Distinct().Count(), Is.EqualTo(1));
        var set = _packed.Bytes(flood);
        var map = _packed.Bytes(flood.ToDictionary(k => k, _ => true, new Spread()));
        var clock = Stopwatch.StartNew();
        Assert.That(_packed.Deserialize<HashSet<long>>(set), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<ISet<long>>(set), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<ImmutableHashSet<long>>(set), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<HashSet<TimeSpan>>(set), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<Dictionary<long, bool>>(map), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<IReadOnlyDictionary<long, bool>>(map)!.ContainsKey(flood[7]), Is.True);
        Assert.That(_packed.Deserialize<ConcurrentDictionary<long, bool>>(map), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<object>(map), Has.Count.EqualTo(flood.Length));
        // Without the guard each takes 5,000,000,000 comparisons.
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(20)));
    }

    private static JsonElement NestedJson(int depth) =>
        JsonElement.Parse(new string('[', depth) + new string(']', depth), new() { MaxDepth = depth });

    private static byte[] Nested(int depth)
    {
        var body = new byte[depth + 1];
        body.AsSpan().Fill(0x91);
        body[^1] = 0xc0;
        return body;
    }

    public sealed class Link
    {
        public Link? Next { get; set; }
    }

    public sealed class Tree : List<Tree?>;

    public sealed class Graph
    {
        public Dictionary<string, Graph> Edges { get; init; } = [];
    }

    private sealed class Spread : IEqualityComparer<long>
    {
        public bool Equals(long x, long y) => x == y;

        public int GetHashCode(long key) => (int)key;
    }
}
