using System.Text.Json;
using NUnit.Framework;

namespace ServiceMesh.Benchmarks.Tests;

/// <summary>The command <c>compare</c> as a user calls it, with such short measurements that their figures mean nothing.</summary>
public sealed class CompareTests
{
    private static readonly string[] s_figures = ["requestsPerSecond", "p50Microseconds", "p99Microseconds", "bytesPerRequest"];

    [Test]
    public async Task Every_contestant_has_a_row_with_every_key()
    {
        var rows = await CompareAsync("--all", "--callers", "2", "--replicas", "1", "--seconds", "0.2", "--rounds", "2");
        Assert.That(rows.Select(Name), Is.EquivalentTo(Contestant.All.Select(c => c.Name)));
        foreach (var row in rows)
        {
            string[] keys = ["contestant", "callers", "replicas", .. s_figures];
            Assert.That(row.EnumerateObject().Select(p => p.Name), Is.EqualTo(keys));
            var unknown = s_figures.Where(figure => row.GetProperty(figure).ValueKind == JsonValueKind.Null);
            Assert.That(unknown, Is.EqualTo(Name(row) == "redis/moleculer" ? ["bytesPerRequest"] : Array.Empty<string>()));
            Assert.That(
                s_figures.Except(unknown).Select(figure => row.GetProperty(figure).GetDouble()),
                Is.All.Positive.And.All.Not.EqualTo(double.PositiveInfinity));
        }
    }

    [Test]
    public async Task Each_number_of_callers_and_of_replicas_has_a_row()
    {
        var rows = await CompareAsync(
            "--transport", "inmemory,http/bare-h1", "--callers", "1,3", "--replicas", "1,2", "--seconds", "0.1", "--rounds", "1");
        var made = rows.Select(row => (Name(row), row.GetProperty("callers").GetInt32(), row.GetProperty("replicas").GetInt32()));
        Assert.That(made, Is.EquivalentTo(new[]
        {
            ("inmemory/servicemesh", 1, 1), ("inmemory/servicemesh", 3, 1), ("inmemory/servicemesh", 1, 2), ("inmemory/servicemesh", 3, 2),
            ("inmemory/by-reference", 1, 1), ("inmemory/by-reference", 3, 1),
            ("inmemory/by-reference", 1, 2), ("inmemory/by-reference", 3, 2), ("inmemory/floor", 1, 1), ("inmemory/floor", 3, 1),
            ("inmemory/masstransit", 1, 1), ("inmemory/masstransit", 3, 1), ("inmemory/wolverine", 1, 1), ("inmemory/wolverine", 3, 1),
            ("http/bare-h1", 1, 1), ("http/bare-h1", 3, 1), ("http/bare-h1", 1, 2), ("http/bare-h1", 3, 2),
        }));
    }

    [TestCase("--callers", "0")]
    [TestCase("--callers", "many")]
    [TestCase("--replicas", "-1")]
    [TestCase("--seconds", "0")]
    [TestCase("--rounds", "0")]
    [TestCase("--transport", "carrier-pigeon")]
    [TestCase("--all", "--transport", "inmemory")]
    public void An_invalid_value_is_refused(params string[] arguments) =>
        Assert.That(Run(["compare", .. arguments]), Is.Not.Zero);

    private static string Name(JsonElement row) => row.GetProperty("contestant").GetString()!;

    private static async Task<JsonElement[]> CompareAsync(params string[] arguments)
    {
        var file = Path.GetTempFileName();
        try
        {
            Assert.That(Run(["compare", "--json", file, .. arguments]), Is.Zero);
            return JsonSerializer.Deserialize<JsonElement[]>(await File.ReadAllTextAsync(file))!;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static int Run(string[] arguments) => (int)typeof(Contestant).Assembly.EntryPoint!.Invoke(null, [arguments])!;
}
