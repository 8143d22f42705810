using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>
/// Agreement with <c>@msgpack/msgpack</c>, run by Node: for each of 10,000 generated values both write the same bytes, and
/// both read the value from them. A value travels to Node in words, so neither sees the other's bytes before it writes its own.
/// </summary>
public sealed class ForeignTests
{
    private const int Cases = 10_000;

    // An integer that is written as a float would be another thing, so one case has integers or it has whole floats.
    private static readonly string[] s_numbers = ["any", "float64", "float32"];

    private readonly MessagePackMessageSerializer _packed = new();
    private readonly Random _random = new(20260131);
    private string _numbers = "";

    [Test]
    public async Task Both_write_the_same_bytes_and_read_the_same_values()
    {
        var cases = Enumerable.Range(0, Cases).Select(Generate).ToArray();
        var answers = await AskNodeAsync([.. cases.Select(c => new JsonObject
        {
            ["numbers"] = c.Numbers, ["value"] = c.Value.DeepClone(), ["bytes"] = Convert.ToHexStringLower(c.Bytes),
        }.ToJsonString())]);
        Assert.That(answers, Has.Length.EqualTo(Cases));
        for (var i = 0; i < Cases; i++)
        {
            var answer = JsonNode.Parse(answers[i])!;
            var theirs = (string)answer["bytes"]!;
            var which = $"case {i}, {cases[i].Value.ToJsonString()}";
            if (theirs != Convert.ToHexStringLower(cases[i].Bytes) || !JsonNode.DeepEquals(answer["value"], cases[i].Value))
            {
                Assert.Fail($"{which}: this writes {Convert.ToHexStringLower(cases[i].Bytes)}, the other {theirs}, which reads this as {answer["value"]!.ToJsonString()}");
            }

            var reader = new MessagePackReader(Convert.FromHexString(theirs), maxDepth: 64);
            var read = Describe(ref reader, cases[i].Numbers != "any");
            Assert.That(JsonNode.DeepEquals(read, cases[i].Value), Is.True, () => $"{which}: read here as {read.ToJsonString()}");
        }
    }

    private (string Numbers, JsonArray Value, byte[] Bytes) Generate(int index)
    {
        _numbers = s_numbers[index % 4 == 3 ? 1 + (index / 4 % 2) : 0];
        if (_numbers == "any" && index % 4 == 0)
        {
            var (value, record) = GenerateRecord();
            return (_numbers, value, _packed.Bytes(record));
        }

        // The first of all are as large as their headers can be told apart by.
        var made = index < 107 ? Sized(index - (index / 4) - 1) : Any(depth: 3);
        return (_numbers, made, Convert.FromHexString(Packed.Write((ref writer) => Write(ref writer, made))));
    }

    private static JsonArray Sized(int index)
    {
        int[] sizes = [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 255, 256, 65_535, 65_536];
        var size = sizes[index % sizes.Length];
        return (index / sizes.Length % 5) switch
        {
            0 => ["str", new string('x', size)],
            1 => ["bin", new string('7', size * 2)],
            2 => ["ext", 5, new string('3', Math.Max(size, 1) * 2)],
            3 => ["array", new JsonArray([.. Enumerable.Repeat(0, size).Select(_ => new JsonArray("nil"))])],
            _ => ["map", new JsonArray([.. Enumerable.Range(0, size).Select(i => new JsonArray($"k{i}", new JsonArray("bool", true)))])],
        };
    }

    private JsonArray Any(int depth) => _random.Next(depth == 0 ? 8 : 10) switch
    {
        0 => ["nil"],
        1 => ["bool", _random.Next(2) == 0],
        2 when _numbers == "any" => ["int", Integer().ToString(CultureInfo.InvariantCulture)],
        2 or 3 => Float(),
        4 => ["str", Text()],
        5 => ["bin", Hex(_random.Next(40))],
        6 => ["ext", _random.Next(0, 128), Hex(_random.Next(1, 20))],
        7 => Time(),
        8 => ["array", new JsonArray([.. Enumerable.Range(0, _random.Next(20)).Select(_ => Any(depth - 1))])],
        _ => ["map", new JsonArray([.. Enumerable.Range(0, _random.Next(20)).Select(i => new JsonArray($"{Text()}#{i}", Any(depth - 1)))])],
    };

    private Int128 Integer()
    {
        // Around the powers of two, where the forms change, up to both ends.
        var near = ((Int128)1 << _random.Next(65)) + _random.Next(-3, 3);
        return Int128.Clamp(_random.Next(2) == 0 ? near : -near, long.MinValue, ulong.MaxValue);
    }

    private JsonArray Float()
    {
        double value;
        do
        {
            value = _random.Next(6) switch
            {
                0 => BitConverter.Int64BitsToDouble(_random.NextInt64(long.MinValue, long.MaxValue)),
                1 => _random.Next(-1000, 1000) + 0.5,
                2 when _numbers != "any" => _random.Next(-100_000, 100_000),
                3 when _numbers != "any" => -0.0,
                4 => double.NaN,
                5 => _random.Next(2) == 0 ? double.PositiveInfinity : double.NegativeInfinity,
                _ => _random.NextDouble(),
            };
            value = double.IsNaN(value) ? BitConverter.UInt64BitsToDouble(0x7ff8000000000000) : _numbers == "float32" ? (float)value : value;
        }
        while (_numbers == "any" && double.IsInteger(value)); // the other writes those as integers

        return ["float", Bits(value)];
    }

    private JsonArray Time()
    {
        var seconds = _random.Next(4) switch
        {
            0 => _random.NextInt64(0, 1L << 32),
            1 => _random.NextInt64(1L << 32, 1L << 34),
            2 => _random.NextInt64(1L << 34, 1L << 52),
            _ => -_random.NextInt64(1, 1L << 52),
        };
        return ["time", seconds.ToString(CultureInfo.InvariantCulture), _random.Next(2) == 0 ? 0 : _random.Next(1_000_000_000)];
    }

    private string Text()
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

    private string Hex(int length)
    {
        var bytes = new byte[length];
        _random.NextBytes(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private static string Bits(double value)
    {
        Span<byte> bits = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bits, value);
        return Convert.ToHexStringLower(bits);
    }

    /// <summary>A record of every kind of member, and in words what docs/serialization.md says it is.</summary>
    private (JsonArray Words, Parcel Parcel) GenerateRecord()
    {
        var id = Guid.Parse(Hex(16));
        var seconds = _random.NextInt64(-62_135_596_800, 253_402_300_800);
        var ticks = _random.Next(10_000_000);
        var parcel = new Parcel(id, Text())
        {
            At = DateTime.UnixEpoch.AddTicks((seconds * TimeSpan.TicksPerSecond) + ticks),
            Took = TimeSpan.FromTicks((long)Int128.Clamp(Integer(), long.MinValue, long.MaxValue)),
            Cost = new decimal(_random.Next(), _random.Next(), _random.Next(), _random.Next(2) == 0, (byte)_random.Next(29)),
            Content = Convert.FromHexString(Hex(_random.Next(300))),
            Counts = Enumerable.Range(0, _random.Next(20)).ToDictionary(i => $"{Text()}#{i}", _ => (long)Int128.Clamp(Integer(), long.MinValue, long.MaxValue)),
            Weights = [.. Enumerable.Range(0, _random.Next(20)).Select(_ => _random.Next() + 0.25f)],
            Maybe = _random.Next(2) == 0 ? null : _random.Next(),
            Day = (DayOfWeek)_random.Next(7),
            Pair = (_random.Next(-100, 100), _random.Next(2) == 0),
            Any = JsonElement.Parse("""{"a":[1,2.5,"x",null,true]}"""),
        };
        parcel.Weights.RemoveAll(w => double.IsInteger(w));
        JsonArray words = ["map", Members(
            ("Id", ["bin", id.ToString("N")]),
            ("Text", ["str", parcel.Text]),
            ("At", ["time", seconds.ToString(CultureInfo.InvariantCulture), ticks * 100]),
            ("Took", ["int", parcel.Took.Ticks.ToString(CultureInfo.InvariantCulture)]),
            ("Cost", ["str", parcel.Cost.ToString(CultureInfo.InvariantCulture)]),
            ("Content", ["bin", Convert.ToHexStringLower(parcel.Content)]),
            ("Counts", ["map", Members([.. parcel.Counts.Select(c => (c.Key, new JsonArray("int", c.Value.ToString(CultureInfo.InvariantCulture))))])]),
            ("Weights", ["array", new JsonArray([.. parcel.Weights.Select(w => new JsonArray("float", Bits(w)))])]),
            ("Maybe", parcel.Maybe is { } number ? ["int", number.ToString(CultureInfo.InvariantCulture)] : ["nil"]),
            ("Day", ["int", ((int)parcel.Day).ToString(CultureInfo.InvariantCulture)]),
            ("Pair", ["array", new JsonArray(new JsonArray("int", parcel.Pair.Item1.ToString(CultureInfo.InvariantCulture)), new JsonArray("bool", parcel.Pair.Item2))]),
            ("Any", (JsonArray)JsonNode.Parse("""["map",[["a",["array",[["int","1"],["float","4004000000000000"],["str","x"],["nil"],["bool",true]]]]]]""")!))];
        return (words, parcel);

        static JsonArray Members(params (string Name, JsonArray Value)[] members) => new([.. members.Select(m => new JsonArray(m.Name, m.Value))]);
    }

    private void Write(ref MessagePackWriter writer, JsonArray value)
    {
        switch ((string)value[0]!)
        {
            case "nil":
                writer.WriteNil();
                break;
            case "bool":
                writer.WriteBoolean((bool)value[1]!);
                break;
            case "int" when ((string)value[1]!)[0] == '-':
                writer.WriteInteger(long.Parse((string)value[1]!, CultureInfo.InvariantCulture));
                break;
            case "int":
                writer.WriteInteger(ulong.Parse((string)value[1]!, CultureInfo.InvariantCulture));
                break;
            case "float" when _numbers == "float32":
                writer.WriteFloat32((float)BinaryPrimitives.ReadDoubleBigEndian(Convert.FromHexString((string)value[1]!)));
                break;
            case "float":
                writer.WriteFloat64(BinaryPrimitives.ReadDoubleBigEndian(Convert.FromHexString((string)value[1]!)));
                break;
            case "str":
                writer.WriteString((string)value[1]!);
                break;
            case "bin":
                writer.WriteBinary(Convert.FromHexString((string)value[1]!));
                break;
            case "ext":
                writer.WriteExtension((sbyte)(int)value[1]!, Convert.FromHexString((string)value[2]!));
                break;
            case "time":
                writer.WriteTimestamp(long.Parse((string)value[1]!, CultureInfo.InvariantCulture), (uint)(int)value[2]!);
                break;
            case "array":
                writer.WriteArrayHeader(((JsonArray)value[1]!).Count);
                foreach (var item in (JsonArray)value[1]!)
                {
                    Write(ref writer, (JsonArray)item!);
                }

                break;
            default:
                writer.WriteMapHeader(((JsonArray)value[1]!).Count);
                foreach (var member in (JsonArray)value[1]!)
                {
                    writer.WriteString((string)member![0]!);
                    Write(ref writer, (JsonArray)member[1]!);
                }

                break;
        }
    }

    private static JsonArray Describe(ref MessagePackReader reader, bool areFloats)
    {
        switch (reader.NextKind)
        {
            case MessagePackKind.Nil:
                reader.TryReadNil();
                return ["nil"];
            case MessagePackKind.Boolean:
                return ["bool", reader.ReadBoolean()];
            case MessagePackKind.Integer:
                var integer = reader.ReadInteger(out var isAbove);
                return ["int", isAbove ? ((ulong)integer).ToString(CultureInfo.InvariantCulture) : integer.ToString(CultureInfo.InvariantCulture)];
            case MessagePackKind.Float:
                return ["float", Bits(reader.ReadDouble())];
            case MessagePackKind.String:
                return ["str", reader.ReadString()];
            case MessagePackKind.Binary:
                return ["bin", Convert.ToHexStringLower(reader.ReadBinary())];
            case MessagePackKind.Extension when reader.IsTimestampNext:
                reader.ReadTimestamp(out var seconds, out var nanoseconds);
                return ["time", seconds.ToString(CultureInfo.InvariantCulture), (int)nanoseconds];
            case MessagePackKind.Extension:
                var data = Convert.ToHexStringLower(reader.ReadExtension(out var type));
                return ["ext", (int)type, data];
            case MessagePackKind.Array:
                var items = new JsonArray();
                for (var left = reader.ReadArrayHeader(); left > 0; left--)
                {
                    items.Add((JsonNode)Describe(ref reader, areFloats));
                }

                return ["array", items];
            default:
                var members = new JsonArray();
                for (var left = reader.ReadMapHeader(); left > 0; left--)
                {
                    members.Add((JsonNode)new JsonArray(reader.ReadString(), Describe(ref reader, areFloats)));
                }

                return ["map", members];
        }
    }

    private static async Task<string[]> AskNodeAsync(string[] lines)
    {
        var directory = Path.Combine(RepositoryRoot(), "tests", "Core.Tests", "Serialization", "MessagePack", "Foreign");
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

    private sealed record Parcel(Guid Id, string Text)
    {
        public DateTime At { get; init; }

        public TimeSpan Took { get; init; }

        public decimal Cost { get; init; }

        public byte[] Content { get; init; } = [];

        public Dictionary<string, long> Counts { get; init; } = [];

        public List<double> Weights { get; init; } = [];

        public int? Maybe { get; init; }

        public DayOfWeek Day { get; init; }

        public (int, bool) Pair { get; init; }

        public JsonElement Any { get; init; }
    }
}
