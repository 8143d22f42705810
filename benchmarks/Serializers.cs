using System.Buffers;
using System.Globalization;
using System.Text.Json.Serialization;
using ServiceMesh.MessagePack;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// Compares JSON and MessagePack as the bus calls them: bytes of a body, and time and allocations of writing and
/// reading it. They take turns, and medians are printed. The time is processor time of this process, so that other programs on
/// the machine disturb it less.
/// </summary>
internal static class Serializers
{
    private const int Words = 1000;
    private const int Readings = 1000;

    public static async Task<int> RunAsync(TimeSpan time, int rounds, TextWriter output, CancellationToken cancellationToken)
    {
        Subject[] subjects =
        [
            .. Subjects("word-count map", Counts()),
            .. Subjects("small record", new HourlyReading(17, "jan", 5, -3.5)),
            .. Subjects("1,000 readings", Year()),
        ];
        foreach (var subject in subjects)
        {
            subject.Measure(time * 4); // tiered compilation has its say
        }

        for (var round = 0; round < rounds; round++)
        {
            foreach (var subject in subjects)
            {
                cancellationToken.ThrowIfCancellationRequested();
                subject.Results.Add(subject.Measure(time));
            }
        }

        var machine = $"{Environment.ProcessorCount} processors, .NET {Environment.Version}";
        await output.WriteLineAsync($"{machine}, {rounds} rounds of {time.TotalMilliseconds} ms each way, medians");
        await output.WriteLineAsync(
            $"{"value",-16} {"serializer",-16} {"bytes",8} {"write ns",10} {"write B",9} {"read ns",10} {"read B",9}");
        foreach (var subject in subjects)
        {
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{subject.Value,-16} {subject.Serializer,-16} {subject.Bytes,8:N0} {Median(m => m.Write.Nanoseconds),10:N0} " +
                $"{Median(m => m.Write.Bytes),9:N0} {Median(m => m.Read.Nanoseconds),10:N0} {Median(m => m.Read.Bytes),9:N0}"));

            double Median(Func<(Cost Write, Cost Read), double> figure) =>
                subject.Results.Select(figure).Order().ElementAt(subject.Results.Count / 2);
        }

        return 0;
    }

    private static IEnumerable<Subject> Subjects<T>(string value, T sample) =>
    [
        Subject.Of(value, "JSON, reflection", new JsonMessageSerializer(), sample),
        Subject.Of(value, "JSON, generated", new JsonMessageSerializer(new() { TypeInfoResolver = SerializersJson.Default }), sample),
        Subject.Of(value, "MessagePack", new MessagePackMessageSerializer(), sample),
    ];

    // Words and their counts as a text has them: few that are frequent, many that are rare.
    private static Dictionary<string, int> Counts()
    {
        var random = new Random(1);
        var counts = new Dictionary<string, int>();
        while (counts.Count < Words)
        {
            var word = string.Concat(Enumerable.Range(0, random.Next(2, 11)).Select(_ => (char)('a' + random.Next(26))));
            counts[word] = 20_000 / (counts.Count + 1) + 1;
        }

        return counts;
    }

    private static HourlyReading[] Year()
    {
        var random = new Random(1);
        return
        [
            .. Enumerable.Range(0, Readings)
                .Select(i => new HourlyReading((i / 24 % 31) + 1, "jan", i % 24, random.Next(-200, 400) / 10.0)),
        ];
    }

    private sealed record Subject(string Value, string Serializer, int Bytes, Action Write, Action Read)
    {
        public List<(Cost Write, Cost Read)> Results { get; } = [];

        public static Subject Of<T>(string value, string name, IMessageSerializer serializer, T sample)
        {
            var output = new ArrayBufferWriter<byte>();
            serializer.Serialize(sample, output);
            var body = output.WrittenSpan.ToArray();
            return new(value, name, body.Length, Write, Read);

            void Write()
            {
                output.ResetWrittenCount();
                serializer.Serialize(sample, output);
            }

            void Read() => serializer.Deserialize<T>(body);
        }

        public (Cost Write, Cost Read) Measure(TimeSpan time) => (Cost.Of(Write, time), Cost.Of(Read, time));
    }

    private sealed record Cost(double Nanoseconds, double Bytes)
    {
        public static Cost Of(Action action, TimeSpan time)
        {
            // The clock is asked once for a batch, so that asking does not count.
            var batch = 1;
            var calls = 0L;
            var bytes = GC.GetAllocatedBytesForCurrentThread();
            var started = Environment.CpuUsage.TotalTime;
            TimeSpan elapsed;
            do
            {
                for (var i = 0; i < batch; i++)
                {
                    action();
                }

                calls += batch;
                elapsed = Environment.CpuUsage.TotalTime - started;
                batch = elapsed < time / 20 ? batch * 2 : batch;
            }
            while (elapsed < time);

            return new(elapsed.TotalNanoseconds / calls, (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / calls);
        }
    }
}

/// <summary>As in the sample Weather. Public, as MessagePack needs it.</summary>
public sealed record HourlyReading(int Day, string Month, int Hour, double Degrees);

[JsonSerializable(typeof(Dictionary<string, int>))]
[JsonSerializable(typeof(HourlyReading[]))]
internal sealed partial class SerializersJson : JsonSerializerContext;
