using System.Collections.Immutable;
using System.Diagnostics;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Random bytes, and valid bodies with faults.</summary>
public sealed class FuzzTests
{
    private const int Inputs = 200_000;
    private const int MaxBytesForAnInput = 1 << 20;
    private const int LargeInput = 1 << 18;

    private static readonly TimeSpan s_maxTimeForAnInput = TimeSpan.FromSeconds(2);

    private static readonly MessagePackMessageSerializer s_packed = new();
    private static readonly Guid s_id = new("00112233-4455-6677-8899-aabbccddeeff");

    /// <summary>A type with a valid body, and a test whether other bytes are refused as that type.</summary>
    private sealed record Target(byte[] Body, Func<byte[], bool> IsRefused);

    private static readonly Target[] s_targets =
    [
        Of(new FormTests.Point(1, 700)),
        Of(new FormTests.Place(1, 2)),
        Of(new ContractTests.Full(1, "text") { Must = 2 }),
        Of(new ContractTests.Keyed(1, "b")),
        Of(new ContractTests.Hidden(5)),
        Of(new ContractTests.Named("n", 1)),
        Of(new ContractTests.Animal?[] { new ContractTests.Dog { Name = "d", Barks = 2 }, new ContractTests.Cat { Name = "c" }, null }),
        Of(new Dictionary<string, int[]> { ["a"] = [1, 300], ["b"] = [] }),
        Of(new Dictionary<long, Guid> { [1L << 40] = s_id }),
        Of(new Dictionary<long, int[]> { [1L << 40] = [] }),
        Of<object?>(new Dictionary<object, object> { [1L << 40] = true }),
        Of(new Dictionary<DateTime, TimeSpan> { [DateTime.UnixEpoch] = TimeSpan.MaxValue }),
        Of<object?[]>([1, "text", null, true, 0.5, new byte[] { 1 }, DateTime.UnixEpoch, new Dictionary<object, object> { [1] = "a" }]),
        Of(JsonElement.Parse("""{"a":[1,2.5,"x",null,{"b":-7}]}""")),
        Of(JsonNode.Parse("""{"a":[1,2.5,"x",null,{"b":true}]}""")),
        Of(new JsonObject { ["a"] = 1 }),
        Of(Unit.Value),
        Of(new List<DayOfWeek> { DayOfWeek.Friday, (DayOfWeek)77 }),
        Of((1, "two", 3.0, (decimal?)4.5m)),
        Of(new LimitTests.Tree { null, new() }),
        Of(new LimitTests.Link { Next = new() }),
        Of(new List<DateTimeOffset> { new(2026, 1, 31, 1, 2, 3, TimeSpan.FromHours(5.5)), DateTimeOffset.UnixEpoch }),
        Of(new BigInteger(1) << 200),
        Of(new HashSet<DateOnly> { new(2026, 1, 2) }),
        Of(new Queue<TimeOnly>([new(1, 2)])),
        Of(ImmutableDictionary<string, DateTime>.Empty.Add("a", DateTime.UnixEpoch)),
        Of(new[,] { { 1, 2 }, { 3, 4 } }),
        Of(new List<Uri?> { new("http://a/b"), null }),
        Of(new Version(1, 2, 3)),
        Of("grüße, 世界 🌍".ToCharArray()),
        Of(new ErrorReport { Topic = "t", Status = 1, Error = "e", MessageId = "m", Sender = "s", Node = "n", Time = default }),
    ];

    [Test]
    public void Mutated_bodies_are_read_or_malformed_and_none_takes_much_memory()
    {
        var clock = Stopwatch.StartNew();
        var refused = 0;
        Parallel.For(0, Environment.ProcessorCount, worker =>
        {
            var random = new Random(20260131 + worker);
            for (var i = worker; i < Inputs; i += Environment.ProcessorCount)
            {
                var target = s_targets[i / Environment.ProcessorCount % s_targets.Length];
                var input = random.Next(4) == 0 ? Random(random) : Mutated(target.Body, random);
                var before = GC.GetAllocatedBytesForCurrentThread();
                var started = Stopwatch.GetTimestamp();
                try
                {
                    if (target.IsRefused(input))
                    {
                        Interlocked.Increment(ref refused);
                    }
                }
                catch (Exception other)
                {
                    throw new AssertionException($"Input {i}, {Convert.ToHexString(input)}: {other}");
                }

                var taken = GC.GetAllocatedBytesForCurrentThread() - before;
                if (taken > MaxBytesForAnInput)
                {
                    throw new AssertionException($"Input {i}, {Convert.ToHexString(input)}: {taken} bytes");
                }

                if (Stopwatch.GetElapsedTime(started) is var time && time > s_maxTimeForAnInput)
                {
                    throw new AssertionException($"Input {i}, {Convert.ToHexString(input)}: {time}");
                }
            }
        });

        TestContext.Out.WriteLine($"{refused:N0} of {Inputs:N0} inputs were refused, in {clock.Elapsed.TotalSeconds:N1} s.");
        Assert.That(refused, Is.InRange(Inputs / 4, Inputs - (Inputs / 100)), "the inputs must include refused and accepted bodies");
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromMinutes(2)));
    }

    [Test]
    public void A_large_body_of_each_type_is_read_or_malformed_in_bounded_time()
    {
        var random = new Random(20260131);
        byte[][] inputs =
        [
            Filled(_ => (byte)random.Next(256)),
            Filled(_ => 0x91), // arrays, one in the other
            Filled(_ => 0x81),
            Repeated(LargeInput, [0xc0]),
            Repeated(LargeInput, [0x01]),
            Repeated(LargeInput / 3, [0x92, 0x01, 0x01]),
            Map(i => (long)i << 32 | (uint)i), // one hash for all, as .NET computes it for a long
            Map(i => i),
        ];
        foreach (var target in s_targets)
        {
            for (var i = 0; i < inputs.Length; i++)
            {
                var started = Stopwatch.GetTimestamp();
                target.IsRefused(inputs[i]);
                var at = $"input {i} of type {Array.IndexOf(s_targets, target)}";
                Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(s_maxTimeForAnInput), at);
            }
        }

        static byte[] Filled(Func<int, byte> next) => [.. Enumerable.Range(0, LargeInput).Select(next)];

        static byte[] Repeated(int count, byte[] item) =>
            [.. Packed.Body($"dd {count:x8}"), .. Enumerable.Range(0, count).SelectMany(_ => item)];

        static byte[] Map(Func<int, long> key) =>
            [.. Packed.Body($"df {LargeInput / 5:x8}"),
                .. Enumerable.Range(0, LargeInput / 5).SelectMany(i => Packed.Body($"d3 {key(i):x16} 90"))];
    }

    private static Target Of<T>(T value) => new(s_packed.Bytes(value), body =>
    {
        try
        {
            s_packed.Deserialize<T>(body);
            return false;
        }
        catch (MalformedBodyException)
        {
            return true;
        }
    });

    private static byte[] Random(Random random)
    {
        var bytes = new byte[random.Next(1, 48)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Mutated(byte[] body, Random random)
    {
        var bytes = body.ToList();
        for (var faults = random.Next(1, 4); faults > 0 && bytes.Count > 0; faults--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, random.Next(Math.Min(4, bytes.Count - at)) + 1);
                    break;
                case 3:
                    bytes.Insert(at, (byte)random.Next(0xc0, 0xe0)); // a format code, which is not a small number
                    break;
                default:
                    bytes.InsertRange(at, bytes.GetRange(at, random.Next(Math.Min(8, bytes.Count - at))));
                    break;
            }
        }

        return bytes.Count == 0 ? [0xc0] : [.. bytes];
    }
}
