using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Collections.ObjectModel;
using System.Text.Json;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Keys that are chosen to collide cost no more than others, or end the reading.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CollisionTests
{
    private readonly JsonMessageSerializer _json = new();

    [Test]
    public void Each_table_hashes_its_keys_with_a_random_key_of_the_process()
    {
        var (set, map) = ("[1,2]"u8.ToArray(), "{\"1\":true,\"2\":false}"u8.ToArray());
        Assert.Multiple(() =>
        {
            Assert.That(_json.Deserialize<HashSet<long>>(set)!.Comparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(((HashSet<long>)_json.Deserialize<ISet<long>>(set)!).Comparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(_json.Deserialize<ImmutableHashSet<long>>(set)!.KeyComparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(
                ((ImmutableHashSet<long>)_json.Deserialize<IImmutableSet<long>>(set)!).KeyComparer,
                Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(_json.Deserialize<Dictionary<long, bool>>(map)!.Comparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(OfDictionary(_json.Deserialize<IDictionary<long, bool>>(map)!), Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(OfDictionary(_json.Deserialize<IReadOnlyDictionary<long, bool>>(map)!), Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(_json.Deserialize<ConcurrentDictionary<long, bool>>(map)!.Comparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(
                _json.Deserialize<ImmutableDictionary<long, bool>>(map)!.KeyComparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(
                ((ImmutableDictionary<long, bool>)_json.Deserialize<IImmutableDictionary<long, bool>>(map)!).KeyComparer,
                Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(_json.Deserialize<Holder>("{\"Set\":[1]}"u8.ToArray())!.Set.Comparer, Is.SameAs(GuardedComparer<long>.Instance));
            Assert.That(_json.Deserialize<OwnSafe>("[1]"u8.ToArray())!.Comparer, Is.SameAs(GuardedComparer<int>.Instance));
        });

        static object OfDictionary(object table) => ((Dictionary<long, bool>)table).Comparer;
    }

    [Test]
    public void Keys_that_are_chosen_to_collide_have_different_hashes()
    {
        // The hash of a long is the XOR of its halves: all these keys have the hash 0.
        var longs = Enumerable.Range(1, 10_000).Select(i => ((long)i << 32) | (uint)i).ToArray();
        Assert.That(longs.Select(k => k.GetHashCode()).Distinct().Count(), Is.EqualTo(1));
        AssertSpread(longs);

        // A table of this size has a prime number of buckets, and the hash of an integer is the integer.
        var buckets = new HashSet<int>().EnsureCapacity(10_000);
        AssertSpread([.. Enumerable.Range(0, 10_000).Select(i => i * buckets)], buckets);
        AssertSpread([.. longs.Select(ticks => new TimeSpan(ticks))]);
        AssertSpread([.. longs.Select(bits => new DateTime(bits & 0xffff_ffff_ffff))]);
        AssertSpread([.. Enumerable.Range(0, 10_000).Select(i => (double)i)]);

        static void AssertSpread<T>(T[] keys, int buckets = int.MaxValue)
        {
            var spread = keys.Select(k => (GuardedComparer<T>.Instance.GetHashCode(k!) & int.MaxValue) % buckets).Distinct().Count();
            Assert.That(spread, Is.GreaterThan(keys.Length / 2), typeof(T).Name);
        }
    }

    [Test]
    public void Keys_of_other_types_with_one_hash_end_the_reading()
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(Enumerable.Range(0, 20_000).Select(i => new Alike(i)));
        Assert.That(
            () => _json.Deserialize<HashSet<Alike>>(body),
            Throws.TypeOf<MalformedBodyException>()
                .With.Message.Contains("HashSet<Alike>: The keys of a table have the same hash too often."));
        Assert.That(
            _json.Deserialize<HashSet<Alike>>(JsonSerializer.SerializeToUtf8Bytes(Enumerable.Range(0, 100).Select(i => new Alike(i)))),
            Has.Count.EqualTo(100), "a few are no attack, and each body has its own budget");
    }

    [Test]
    public void A_table_that_was_read_can_be_used_without_a_limit()
    {
        var table = _json.Deserialize<HashSet<Alike>>("[]"u8.ToArray())!;
        for (var i = 0; i < 2_000; i++)
        {
            table.Add(new(i));
        }

        Assert.That(table, Has.Count.EqualTo(2_000));
    }

    [Test]
    public void Equal_keys_have_equal_hashes()
    {
        AssertEqual(0.0, -0.0);
        AssertEqual(double.NaN, BitConverter.Int64BitsToDouble(0x7ff8_0000_0000_0001));
        AssertEqual(1.0m, 1.00m);
        AssertEqual(new DateTime(5, DateTimeKind.Utc), new DateTime(5, DateTimeKind.Local));
        AssertEqual(new DateTimeOffset(2026, 1, 1, 1, 0, 0, TimeSpan.FromHours(1)), new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        AssertEqual(Guid.Empty, default);
        AssertEqual((1, "a"), (1, "a"));
        AssertEqual('x', 'x');
        AssertEqual<int?>(5, 5);

        static void AssertEqual<T>(T one, T other)
        {
            Assert.That(GuardedComparer<T>.Instance.Equals(one, other), Is.True, $"{one}");
            Assert.That(
                GuardedComparer<T>.Instance.GetHashCode(one!), Is.EqualTo(GuardedComparer<T>.Instance.GetHashCode(other!)), $"{one}");
        }
    }

    [Test]
    public void Tables_survive_the_round_trip()
    {
        var days = new Dictionary<DayOfWeek, ImmutableHashSet<Guid>> { [DayOfWeek.Friday] = [Guid.Empty] };
        var read = Back(days)!;
        Assert.That(read.Keys, Is.EqualTo([DayOfWeek.Friday]));
        Assert.That(read[DayOfWeek.Friday], Is.EqualTo([Guid.Empty]));
        Assert.That(Back(ImmutableDictionary<int, string>.Empty.Add(1, "a"))![1], Is.EqualTo("a"));
        Assert.That(Back<ImmutableHashSet<int>?>(null), Is.Null);
        Assert.That(Back(new HashSet<string> { "a" }), Is.EqualTo(["a"]));
        Assert.That(Back(new OwnSafe(null) { 1 }), Is.EqualTo([1]));
        Assert.That(Back<IReadOnlyDictionary<int, string>>(new Dictionary<int, string> { [1] = "a" })![1], Is.EqualTo("a"));
        Assert.That(
            () => _json.Deserialize<IReadOnlyDictionary<int, bool>>("{\"1\":2}"u8.ToArray()),
            Throws.TypeOf<MalformedBodyException>().With.Message.Contains("$.1 is a number; a value is a boolean"));
    }

    [Test]
    public void A_table_of_the_application_that_cannot_be_guarded_is_refused()
    {
        AssertRefused<OwnNumbers>();
        AssertRefused<ByNumber>();
        Assert.That(_json.EnsureSupported<OwnTexts>, Throws.Nothing);

        void AssertRefused<T>() => Assert.That(
            _json.EnsureSupported<T>,
            Throws.TypeOf<NotSupportedException>()
                .With.Message.Contains("without a hash that resists collisions").And.Message.Contains("IEqualityComparer"));
    }

    private T? Back<T>(T value)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        _json.Serialize(value, buffer);
        return _json.Deserialize<T>(buffer.WrittenMemory);
    }

    internal sealed record Holder(HashSet<long> Set);

    internal sealed record Alike(int Number)
    {
        public bool Equals(Alike? other) => other?.Number == Number;

        public override int GetHashCode() => 1;
    }

    internal sealed class OwnNumbers : HashSet<int>;

    internal sealed class OwnTexts : HashSet<string>;

    internal sealed class OwnSafe(IEqualityComparer<int>? comparer) : HashSet<int>(comparer)
    {
        public OwnSafe()
            : this(null) { }
    }

    internal sealed class ByNumber : KeyedCollection<int, string>
    {
        protected override int GetKeyForItem(string item) => item.Length;
    }
}
