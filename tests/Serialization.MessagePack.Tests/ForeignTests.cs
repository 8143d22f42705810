using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MessagePack;
using NUnit.Framework;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>
/// Agreement with <c>@msgpack/msgpack</c>, run by Node, in both directions: each reads the values that the other writes.
/// A value is sent to Node in words, so neither side sees the bytes of the other before it has written its own.
/// </summary>
public sealed class ForeignTests
{
    private const int Parcels = 500;
    private const int JsonValues = 500;

    private readonly MessagePackMessageSerializer _packed = new();
    private readonly Random _random = new(20260131);

    [Test]
    public async Task Each_implementation_reads_the_values_that_the_other_writes()
    {
        Case[] cases =
        [
            .. Sizes(),
            .. Enumerable.Range(0, Parcels).Select(_ => ParcelCase()),
            .. Enumerable.Range(0, JsonValues).Select(_ => JsonCase(AnyJson(depth: 3))),
        ];

        var answers = await AskNodeAsync([.. cases.Select(c => new JsonObject
        {
            ["value"] = c.Words.DeepClone(), ["bytes"] = Convert.ToHexStringLower(c.Bytes),
        }.ToJsonString())]);

        Assert.That(answers, Has.Length.EqualTo(cases.Length));
        for (var i = 0; i < cases.Length; i++)
        {
            var answer = JsonNode.Parse(answers[i])!;
            var theirs = (string)answer["bytes"]!;
            var which = $"case {i}, {Cut(cases[i].Words.ToJsonString())}";
            Assert.That(
                JsonNode.DeepEquals(answer["value"], cases[i].Words), Is.True,
                () => $"{which}: Node reads {Cut(answer["value"]!.ToJsonString())}");
            Assert.That(
                cases[i].IsReadFrom(Convert.FromHexString(theirs)), Is.True, () => $"{which}: read here differently from {Cut(theirs)}");
        }
    }

    /// <summary>
    /// A value in words, its bytes from this serializer, and a test whether this serializer reads other bytes as the same value.
    /// </summary>
    private sealed record Case(JsonArray Words, byte[] Bytes, Predicate<byte[]> IsReadFrom);

    // The sizes at which the headers of texts, bytes, arrays and maps change.
    private IEnumerable<Case> Sizes()
    {
        foreach (var size in (int[])[0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536])
        {
            var (text, bytes) = (new string('x', size), new byte[size]);
            yield return new(["str", text], _packed.Bytes(text), body => _packed.Deserialize<string>(body) == text);
            yield return new(
                ["bin", Convert.ToHexStringLower(bytes)],
                _packed.Bytes(bytes),
                body => _packed.Deserialize<byte[]>(body)!.AsSpan().SequenceEqual(bytes));
            yield return JsonCase(new JsonArray([.. Enumerable.Repeat<JsonNode?>(null, size)]));
            var members = Enumerable.Range(0, size).Select(i => KeyValuePair.Create<string, JsonNode?>($"k{i}", true));
            yield return JsonCase(new JsonObject(members));
        }
    }

    private Case JsonCase(JsonNode? json)
    {
        var element = JsonSerializer.SerializeToElement(json);
        return new(
            WordsOf(element), _packed.Bytes(element), body => JsonElement.DeepEquals(_packed.Deserialize<JsonElement>(body), element));
    }

    private Case ParcelCase()
    {
        var parcel = AnyParcel();
        var bytes = _packed.Bytes(parcel);
        return new(WordsOf(parcel), bytes, body => _packed.Bytes(_packed.Deserialize<Parcel>(body)).AsSpan().SequenceEqual(bytes));
    }

    private Parcel AnyParcel() => new(new Guid(AnyBytes(16)), AnyText())
    {
        At = DateTime.UnixEpoch.AddSeconds(_random.NextInt64(-62_135_596_800, 253_402_300_800)).AddTicks(_random.Next(10_000_000)),
        Posted = new(2026, 1, _random.Next(1, 29), 1, 2, 3, TimeSpan.FromMinutes(_random.Next(-840, 840))),
        Took = TimeSpan.FromTicks(AnyLong()),
        Cost = new decimal(_random.Next(), _random.Next(), _random.Next(), _random.Next(2) == 0, (byte)_random.Next(29)),
        Content = AnyBytes(_random.Next(300)),
        Counts = Enumerable.Range(0, _random.Next(20)).ToDictionary(i => $"{AnyText()}#{i}", _ => AnyLong()),
        Weights = [.. Enumerable.Range(0, _random.Next(20)).Select(_ => _random.Next() + 0.25)],
        Maybe = _random.Next(2) == 0 ? null : _random.Next(),
        Day = (DayOfWeek)_random.Next(7),
        Due = new(2026, 1, _random.Next(1, 29)),
        Pair = (_random.Next(-100, 100), _random.Next(2) == 0),
        Label = new() { Text = AnyText(), Size = AnyLong() },
        Shape = _random.Next(2) == 0 ? new Box { Width = _random.Next() } : new Tube { Length = AnyLong() },
    };

    // The form of each type in docs/serialization.md.
    private static JsonArray WordsOf(Parcel parcel) => Map(
        ("Id", ["str", parcel.Id.ToString()]),
        ("Text", ["str", parcel.Text]),
        ("At", Time(parcel.At)),
        ("Posted", new JsonArray("array", new JsonArray(Time(parcel.Posted.DateTime), Int(parcel.Posted.TotalOffsetMinutes)))),
        ("Took", Int(parcel.Took.Ticks)),
        ("Cost", ["str", parcel.Cost.ToString(CultureInfo.InvariantCulture)]),
        ("Content", ["bin", Convert.ToHexStringLower(parcel.Content)]),
        ("Counts", Map([.. parcel.Counts.Select(c => (c.Key, Int(c.Value)))])),
        ("Weights", ["array", new JsonArray([.. parcel.Weights.Select(Float)])]),
        ("Maybe", parcel.Maybe is { } number ? Int(number) : ["nil"]),
        ("Day", Int((int)parcel.Day)),
        ("Due", Int(parcel.Due.DayNumber)),
        ("Pair", new JsonArray("array", new JsonArray(Int(parcel.Pair.Item1), new JsonArray("bool", parcel.Pair.Item2)))),
        ("Label", new JsonArray("array", new JsonArray(new JsonArray("str", parcel.Label.Text), Int(parcel.Label.Size)))),
        ("Shape", new JsonArray("array", parcel.Shape is Box box
            ? new JsonArray(Int(0), Map(("Width", Int(box.Width))))
            : new JsonArray(Int(1), Map(("Length", Int(((Tube)parcel.Shape).Length)))))));

    private static JsonArray WordsOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => ["nil"],
        JsonValueKind.String => ["str", value.GetString()],
        JsonValueKind.Number =>
            value.TryGetInt64(out var integer) ? Int(integer) : value.TryGetUInt64(out var large) ? Int(large) : Float(value.GetDouble()),
        JsonValueKind.Array => ["array", new JsonArray([.. value.EnumerateArray().Select(WordsOf)])],
        JsonValueKind.Object => Map([.. value.EnumerateObject().Select(p => (p.Name, WordsOf(p.Value)))]),
        _ => ["bool", value.GetBoolean()],
    };

    private static JsonArray Map(params (string Name, JsonArray Value)[] members) =>
        ["map", new JsonArray([.. members.Select(m => new JsonArray(m.Name, m.Value))])];

    private static JsonArray Int(Int128 value) => ["int", value.ToString(CultureInfo.InvariantCulture)];

    private static JsonArray Float(double value)
    {
        Span<byte> bits = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bits, value);
        return ["float", Convert.ToHexStringLower(bits)];
    }

    private static JsonArray Time(DateTime value)
    {
        var (seconds, ticks) = Int128.DivRem((value - DateTime.UnixEpoch).Ticks, TimeSpan.TicksPerSecond);
        return ticks < 0
            ? ["time", (seconds - 1).ToString(CultureInfo.InvariantCulture), (int)(ticks + TimeSpan.TicksPerSecond) * 100]
            : ["time", seconds.ToString(CultureInfo.InvariantCulture), (int)ticks * 100];
    }

    private JsonNode? AnyJson(int depth) => _random.Next(depth == 0 ? 6 : 8) switch
    {
        0 => null,
        1 => JsonValue.Create(_random.Next(2) == 0),
        2 => JsonValue.Create(AnyLong()),
        3 => JsonValue.Create(ulong.MaxValue - (ulong)_random.Next(100)),
        4 => JsonValue.Create(_random.NextDouble() * _random.Next(1, 1000)),
        5 => JsonValue.Create(AnyText()),
        6 => new JsonArray([.. Enumerable.Range(0, _random.Next(20)).Select(_ => AnyJson(depth - 1))]),
        _ => new JsonObject(Enumerable.Range(0, _random.Next(20)).Select(i => KeyValuePair.Create($"{AnyText()}#{i}", AnyJson(depth - 1)))),
    };

    // Values around the powers of two, where the forms change, up to the smallest and the largest.
    private long AnyLong()
    {
        var near = ((Int128)1 << _random.Next(64)) + _random.Next(-3, 3);
        return (long)Int128.Clamp(_random.Next(2) == 0 ? near : -near, long.MinValue, long.MaxValue);
    }

    private string AnyText()
    {
        var text = new StringBuilder();
        for (var length = _random.Next(8) == 0 ? _random.Next(300) : _random.Next(12); length > 0; length--)
        {
            text.Append(char.ConvertFromUtf32(_random.Next(4) switch
            {
                0 => _random.Next(0x80, 0x800),
                1 => _random.Next(0x800, 0xd800),
                2 => _random.Next(0x10000, 0x110000),
                _ => _random.Next(0x80),
            }));
        }

        return text.ToString();
    }

    private byte[] AnyBytes(int length)
    {
        var bytes = new byte[length];
        _random.NextBytes(bytes);
        return bytes;
    }

    private static string Cut(string text) => text.Length <= 400 ? text : text[..400] + "…";

    private static async Task<string[]> AskNodeAsync(string[] lines)
    {
        var directory = Path.Combine(RepositoryRoot(), "tests", "Serialization.MessagePack.Tests", "Foreign");
        Assert.That(
            Directory.Exists(Path.Combine(directory, "node_modules", "@msgpack", "msgpack")), Is.True,
            $"The package @msgpack/msgpack is missing. ./test.sh installs it; by hand: npm ci --prefix {directory}");
        using var node = new Process
        {
            StartInfo = new("node", ["agree.mjs"])
            {
                WorkingDirectory = directory,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
                StandardOutputEncoding = Encoding.UTF8,
            },
        };
        try
        {
            node.Start();
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            Assert.Fail($"Node is missing: {failure.Message}. ./test.sh installs it (Debian's package nodejs).");
        }

        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            var output = node.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = node.StandardError.ReadToEndAsync(limit.Token);
            foreach (var line in lines)
            {
                await node.StandardInput.WriteLineAsync(line.AsMemory(), limit.Token);
            }

            node.StandardInput.Close();
            await node.WaitForExitAsync(limit.Token);
            Assert.That(node.ExitCode, Is.Zero, await errors);
            return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        finally
        {
            if (!node.HasExited)
            {
                node.Kill();
            }
        }
    }

    private static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(TestContext.CurrentContext.TestDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "ServiceMesh.sln")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        }

        return directory.FullName;
    }

    public sealed record Parcel(Guid Id, string Text)
    {
        public DateTime At { get; init; }

        public DateTimeOffset Posted { get; init; }

        public TimeSpan Took { get; init; }

        public decimal Cost { get; init; }

        public byte[] Content { get; init; } = [];

        public Dictionary<string, long> Counts { get; init; } = [];

        public List<double> Weights { get; init; } = [];

        public int? Maybe { get; init; }

        public DayOfWeek Day { get; init; }

        public DateOnly Due { get; init; }

        public (int, bool) Pair { get; init; }

        public Label Label { get; init; } = new();

        public IShape Shape { get; init; } = new Box();
    }

    [MessagePackObject]
    public sealed class Label
    {
        [Key(0)]
        public string Text { get; set; } = "";

        [Key(1)]
        public long Size { get; set; }
    }

    [Union(0, typeof(Box))]
    [Union(1, typeof(Tube))]
    public interface IShape;

    public sealed record Box : IShape
    {
        public int Width { get; init; }
    }

    public sealed record Tube : IShape
    {
        public long Length { get; init; }
    }
}
