using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>What a body from outside cannot do: nest without end, take memory it does not have, or fill a table with one hash.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LimitTests
{
    private readonly MessagePackMessageSerializer _packed = Packed.Serializer();

    [TestCase(64, true)]
    [TestCase(65, false)]
    public void A_body_is_nested_64_deep_and_no_deeper(int depth, bool isFine)
    {
        var body = Nested(depth);
        Assert.That(() => _packed.Deserialize<JsonElement>(body), isFine ? Throws.Nothing : Throws.TypeOf<MalformedBodyException>());
        Assert.That(() => _packed.Deserialize<object>(body), isFine ? Throws.Nothing : Throws.TypeOf<MalformedBodyException>());
        // Skipped below a member, an object counts one more.
        byte[] unknown = [0x81, 0xa1, (byte)'x', .. Nested(depth - 1)];
        Assert.That(() => _packed.Deserialize<Reading>(unknown), isFine ? Throws.Nothing : Throws.TypeOf<MalformedBodyException>());
    }

    [Test]
    public void The_options_set_another_depth()
    {
        var packed = Packed.Serializer(options: new() { MaxDepth = 3 });
        Assert.That(() => packed.Deserialize<JsonElement>(Nested(3)), Throws.Nothing);
        Assert.That(() => packed.Deserialize<JsonElement>(Nested(4)), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("deeper than 3"));
        Assert.That(() => packed.Bytes(new[] { new[] { new[] { new[] { 1 } } } }), Throws.InvalidOperationException.With.Message.Contains("deeper than 3"));
    }

    [Test]
    public void A_hundred_thousand_levels_do_not_end_the_process() =>
        Assert.That(() => _packed.Deserialize<JsonElement>(Nested(100_000)), Throws.TypeOf<MalformedBodyException>());

    [Test]
    public void A_value_that_contains_itself_is_refused()
    {
        var loop = new Loop();
        loop.Next = loop;
        Assert.That(() => _packed.Bytes(loop), Throws.InvalidOperationException.With.Message.Contains("contain itself"));
        var list = new List<object>();
        list.Add(list);
        Assert.That(() => _packed.Bytes(list), Throws.InvalidOperationException);
    }

    [Test]
    public void A_body_is_as_large_as_allowed_and_no_larger()
    {
        var packed = new MessagePackMessageSerializer(maxBytes: 1000);
        Assert.That(packed.Bytes(new string('x', 997)), Has.Length.EqualTo(1000));
        Assert.That(() => packed.Bytes(new string('x', 998)), Throws.InvalidOperationException.With.Message.Contains("1000 bytes"));
        Assert.That(() => packed.Bytes(Enumerable.Repeat("text", 1_000_000).ToArray()), Throws.InvalidOperationException);
        Assert.That(packed.Deserialize<string>(_packed.Bytes(new string('x', 997))), Has.Length.EqualTo(997));
        Assert.That(() => packed.Deserialize<string>(_packed.Bytes(new string('x', 998))), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("1000 are allowed"));
        Assert.That(() => new MessagePackMessageSerializer(maxBytes: 0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [TestCase("dd00ffffff c0")]
    [TestCase("df00ffffff c0 c0")]
    [TestCase("db00ffffff 61")]
    [TestCase("c600ffffff 61")]
    [TestCase("c900ffffff 01 61")]
    [TestCase("dd7fffffff c0")]
    [TestCase("ddffffffff c0")]
    [TestCase("df7fffffff c0 c0")]
    [TestCase("db7fffffff 61")]
    [TestCase("c67fffffff 61")]
    [TestCase("c97fffffff 01 61")]
    [TestCase("91 91 91 dd7fffffff c0")]
    public void A_length_without_its_bytes_allocates_nothing(string hex)
    {
        Read<JsonElement>();
        Read<object[]>();
        Read<byte[]>();
        Read<string>();
        Read<long[][][][]>();
        Read<Dictionary<string, Guid>>();
        Read<List<HashSet<Guid>>>();

        void Read<T>()
        {
            Attempt<T>(hex); // what is made once for the type
            var before = GC.GetAllocatedBytesForCurrentThread();
            Attempt<T>(hex);
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(40_000), typeof(T).ToString());
        }
    }

    [Test]
    public void Many_open_collections_with_room_for_more_are_given_little()
    {
        // 60 arrays one in the other; each says that all the rest of a megabyte are its elements.
        var body = new byte[1 << 20];
        body.AsSpan().Fill(0xc0);
        for (var i = 0; i < 60; i++)
        {
            byte[] header = [0xdd, 0x00, 0x0f, 0x00, 0x00];
            header.CopyTo(body, i * 5);
        }

        body[^1] = 0xc1;
        // As far as a type goes, each level would take eight megabytes.
        Attempt<long[][][][][][][][]>("90");
        Attempt<List<List<List<List<long>>>>>("90");
        Attempt<Nest>("90");
        var nothing = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => _packed.Deserialize<long[][][][][][][][]>(body), Throws.TypeOf<MalformedBodyException>());
        Assert.That(() => _packed.Deserialize<List<List<List<List<long>>>>>(body), Throws.TypeOf<MalformedBodyException>());
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - nothing, Is.LessThan(1 << 20));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => _packed.Deserialize<Nest>(body), Throws.TypeOf<MalformedBodyException>());
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(64 << 20), "a few bytes for each byte of the body");
    }

    [Test]
    public void Keys_chosen_for_one_hash_take_no_longer_than_others()
    {
        // The hash of a long is its halves folded together: these all have the hash 0.
        var flood = Enumerable.Range(1, 100_000).Select(i => ((long)i << 32) | (uint)i).ToArray();
        Assert.That(flood.Select(k => k.GetHashCode()).Distinct().Count(), Is.EqualTo(1));
        var set = _packed.Bytes(flood);
        var map = _packed.Bytes(flood.ToDictionary(k => k, _ => true, new FloodFree()));
        var clock = Stopwatch.StartNew();
        Assert.That(_packed.Deserialize<HashSet<long>>(set), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<Dictionary<long, bool>>(map), Has.Count.EqualTo(flood.Length));
        Assert.That(_packed.Deserialize<IReadOnlyDictionary<long, bool>>(map)!.ContainsKey(flood[7]), Is.True);
        // Without the guard it is 3 times 5,000,000,000 comparisons, which takes longer than anyone waits.
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(20)));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Keys_of_a_table_that_others_fill_are_refused_when_they_have_one_hash(bool isDynamic)
    {
        var packed = Packed.Serializer(isDynamic);
        var flood = Enumerable.Range(1, 100_000).Select(i => ((long)i << 32) | (uint)i).ToArray();
        var set = _packed.Bytes(flood);
        var map = _packed.Bytes(flood.ToDictionary(k => k, _ => true, new FloodFree()));
        var byId = _packed.Bytes(Enumerable.Range(1, 20_000).ToDictionary(i => new Guid(i, 0, 0, [0, 0, 0, 0, .. BitConverter.GetBytes(i)]), _ => true));
        Refuses<OwnMap>(map);
        Refuses<OwnLongs>(set);
        Refuses<ConcurrentDictionary<long, bool>>(map);
        Refuses<ImmutableDictionary<long, bool>>(map);
        Refuses<ImmutableHashSet<long>>(set);
        Refuses<FrozenSet<long>>(set);
        Refuses<ConcurrentDictionary<Guid, bool>>(byId);
        // Made here and once more by System.Text.Json, because a queue is.
        Refuses<Queue<Dictionary<long, bool>>>([0x91, .. map]);
        Refuses<Queue<HashSet<long>>>([0x91, .. set]);
        if (!isDynamic)
        {
            Refuses<Dictionary<long, bool>>(map);
            Refuses<IReadOnlyDictionary<long, bool>>(map);
            Refuses<HashSet<long>>(set);
            Refuses<ISet<long>>(set);
        }

        var harmless = Enumerable.Range(1, 5_000).ToDictionary(i => (long)i, _ => true);
        Assert.That(packed.Back(new OwnMap(harmless)), Has.Count.EqualTo(5_000));
        Assert.That(packed.Back(harmless), Has.Count.EqualTo(5_000));
        Assert.That(packed.Back(harmless.Keys.ToImmutableHashSet()), Has.Count.EqualTo(5_000));
        Assert.That(packed.Back(new Queue<long>(flood[..5_000])), Has.Count.EqualTo(5_000), "a queue has no table");

        void Refuses<T>(byte[] body)
        {
            var clock = Stopwatch.StartNew();
            Assert.That(() => packed.Deserialize<T>(body), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("same hash"), typeof(T).ToString());
            Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(10)), typeof(T).ToString());
        }
    }

    [Test]
    public void Too_many_elements_whose_own_hash_is_the_same_are_refused()
    {
        var flood = Enumerable.Range(1, 20_000).Select(i => new Keyed(((long)i << 32) | (uint)i)).ToArray();
        Assert.That(() => _packed.Deserialize<HashSet<Keyed>>(_packed.Bytes(flood)), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("same hash"));
        Assert.That(() => _packed.Deserialize<OwnSet>(_packed.Bytes(flood)), Throws.TypeOf<MalformedBodyException>().With.Message.Contains("same hash"));
        var harmless = Enumerable.Range(1, 20_000).Select(i => new Keyed(i)).ToArray();
        var set = _packed.Deserialize<HashSet<Keyed>>(_packed.Bytes(harmless))!;
        Assert.That(set, Has.Count.EqualTo(20_000));
        for (var i = 0; i < 200; i++)
        {
            Assert.That(harmless.All(set.Contains), Is.True, "what is done with it later is not counted");
        }
    }

    private static byte[] Nested(int depth)
    {
        var body = new byte[depth];
        body.AsSpan().Fill(0x91);
        body[^1] = 0x90;
        return body;
    }

    private void Attempt<T>(string hex)
    {
        try
        {
            _packed.FromHex<T>(hex);
        }
        catch (MalformedBodyException)
        {
        }
    }

    private sealed class Loop
    {
        public Loop? Next { get; set; }
    }

    private sealed class Nest : List<Nest?>;

    private sealed class OwnMap : Dictionary<long, bool>
    {
        public OwnMap() { }

        public OwnMap(Dictionary<long, bool> other)
            : base(other) { }
    }

    private sealed class OwnLongs : HashSet<long>;

    private sealed class OwnSet : HashSet<Keyed>;

    private sealed record Keyed(long Id)
    {
        public override int GetHashCode() => Id.GetHashCode();
    }

    private sealed class FloodFree : IEqualityComparer<long>
    {
        public bool Equals(long x, long y) => x == y;

        public int GetHashCode(long key) => (int)key;
    }
}
