using System.Collections.Immutable;
using Microsoft.Extensions.Time.Testing;

namespace ServiceMesh.Http.Tests;

/// <summary>Endpoints called a, b, c, … by their names, and what balancers make of them.</summary>
internal sealed class Endpoints
{
    public Endpoints(params int[] weights)
    {
        Clock.Advance(TimeSpan.FromSeconds(1));
        All = [.. weights.Select((weight, i) => Make(i, weight))];
    }

    public FakeTimeProvider Clock { get; } = new();

    public ImmutableArray<Endpoint> All { get; }

    public Endpoint this[int index] => All[index];

    public static string NameOf(Endpoint? endpoint) => endpoint is null ? "-" : ((char)('a' + endpoint.Address.Port - 1)).ToString();

    public Endpoint Make(int index, int weight = 1, bool warm = true, int priority = 0) =>
        new(new("10.0.0.1", index + 1) { Weight = weight, Priority = priority }, Clock, warm);

    /// <summary>A balancer of this name with a fixed seed over these endpoints.</summary>
    public IBalancer Balancer(string name, int seed = 42)
    {
        var balancer = new BalancerKinds([]).Create(name, new() { Clock = Clock, Random = new Random(seed) });
        balancer.Update(All);
        return balancer;
    }

    /// <summary>How many of so many picks each endpoint got.</summary>
    public int[] Count(IBalancer balancer, int picks)
    {
        var counts = new int[All.Length];
        for (var i = 0; i < picks; i++)
        {
            counts[All.IndexOf(balancer.Pick(default)!)]++;
        }

        return counts;
    }

    public static string Letters(IBalancer balancer, int picks) =>
        string.Concat(Enumerable.Range(0, picks).Select(_ => NameOf(balancer.Pick(default))));
}
