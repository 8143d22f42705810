using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Bodies that nobody meant: random bytes, and good bodies with faults.</summary>
public sealed class FuzzTests
{
    private const int Inputs = 1_000_000;
    private const int MostBytesForAnInput = 1 << 20;

    private static readonly Guid s_id = new("00112233-4455-6677-8899-aabbccddeeff");

    private static readonly CodecSet s_codecs = new(
        BodyContracts.Complete(new() { Converters = { new JsonStringEnumConverter<DayOfWeek>() } }), isDynamic: true);

    private static readonly CodecSet s_boxed = new(s_codecs.Options, isDynamic: false);

    /// <summary>One type with a good body of it, and what reads it in both ways.</summary>
    private sealed record Target(byte[] Body, Func<byte[], bool> IsRefused);

    private static readonly Target[] s_targets =
    [
        Of(new Reading("pune", 7, null)),
        Of(new Dictionary<string, int[]> { ["a"] = [1, 300], ["b"] = [] }),
        Of(new Dictionary<long, Guid> { [1L << 40] = s_id }),
        Of(new Dictionary<DateTime, TimeSpan> { [DateTime.UnixEpoch] = TimeSpan.MaxValue }),
        Of<object?[]>([1, "text", null, true, 0.5, new byte[] { 1 }, DateTime.UnixEpoch]),
        Of(JsonElement.Parse("""{"a":[1,2.5,"x",null,{"b":1e400}]}""")),
        Of(JsonNode.Parse("""{"a":[1,2.5,"x",null,{"b":true}]}""")),
        Of(new[] { DayOfWeek.Friday, (DayOfWeek)77 }),
        Of((1, "two", 3.0, (decimal?)4.5m)),
        Of(new SameAsJsonTests.Branch { Leaf = new("t", 1, 2, DateTime.UnixEpoch) { Long = 5 }, Leaves = [], Next = null }),
        Of<SameAsJsonTests.Shape>(new SameAsJsonTests.Circle(2)),
        Of(new List<DateTimeOffset> { new(2026, 1, 31, 1, 2, 3, TimeSpan.FromHours(5.5)), DateTimeOffset.UnixEpoch }),
        Of(new Int128[] { 5, Int128.MaxValue }),
        Of(new[] { new DateOnly(2026, 1, 2) }),
        Of(new HashSet<TimeOnly> { new(1, 2) }),
        Of(new Populated { Items = { 1, 2 }, Text = "t" }),
        Of(new Queue<(int, string)>([(1, "a")])),
        Of(new Queue<Guid>([s_id])),
        Of(ImmutableDictionary<string, DateTime>.Empty.Add("a", DateTime.UnixEpoch)),
        Of(new[] { new Uri("http://a/b"), null }),
        Of(new Version(1, 2, 3)),
        Of(new byte[] { 1, 2, 3 }),
        Of(new char[] { 'ü' }),
        Of(new ContractTests.Open { A = 1, Rest = new() { ["b"] = JsonElement.Parse("[2]") } }),
        Of(new ErrorReport { Topic = "t", Status = 1, Error = "e", MessageId = "m", Sender = "s", Node = "n", Time = DateTimeOffset.UnixEpoch }),
    ];

    [Test]
    public void Only_the_format_error_comes_out_of_a_million_inputs_and_none_takes_much_memory()
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
                if (taken > MostBytesForAnInput)
                {
                    throw new AssertionException($"Input {i}, {Convert.ToHexString(input)}: {taken} bytes");
                }
            }
        });

        TestContext.Out.WriteLine($"{refused:N0} of {Inputs:N0} inputs were refused, in {clock.Elapsed.TotalSeconds:N1} s.");
        Assert.That(refused, Is.InRange(Inputs / 4, Inputs - (Inputs / 100)), "some are refused and some are not, or nothing was tried");
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromMinutes(4)));
    }

    private static Target Of<T>(T value)
    {
        var body = new MessagePackMessageSerializer(s_codecs.Options).Bytes(value);
        return new(body, input =>
        {
            // Not through the serializer, which makes every exception a malformed body.
            var refused = Refusal(s_codecs.For<T>(), new(input, maxDepth: 64));
            var boxed = Refusal(s_boxed.For<T>(), new(Packed.InPieces(input, input.Length / 2), maxDepth: 64));
            return (refused is null) == (boxed is null)
                ? refused is not null
                : throw new AssertionException($"With code that is emitted: {refused?.Message ?? "read"}; and without: {boxed?.Message ?? "read"}");
        });

        static MessagePackException? Refusal(Codec<T> codec, MessagePackReader reader)
        {
            try
            {
                codec.Read(ref reader);
                return null;
            }
            catch (MessagePackException refusal)
            {
                return refusal;
            }
        }
    }

    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    internal sealed class Populated
    {
        public List<int> Items { get; } = [];

        public string? Text { get; set; }
    }

    private static byte[] Random(Random random)
    {
        var bytes = new byte[random.Next(48)];
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
                    bytes.Insert(at, (byte)random.Next(0xc0, 0xe0)); // a code, rather than a number
                    break;
                default:
                    bytes.InsertRange(at, bytes.GetRange(at, random.Next(Math.Min(8, bytes.Count - at))));
                    break;
            }
        }

        return [.. bytes];
    }
}
