using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>WeightedRoundRobin</c>, smooth as in nginx: each step adds its weight to every candidate, takes the largest and subtracts the sum
/// from it. {5, 1, 1} gives a a b a c a a. The circle is computed at each update, so that a pick is one step in it.
/// </summary>
internal sealed class WeightedRoundRobin(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    /// <summary>The maximum length of the circle. Weights that need a longer one are scaled down, but not below 1.</summary>
    public const int MaxCircle = 4096;

    private readonly Random _random = context.Random;
    private readonly RotatingIndex _rotation = new(context.Random);

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints)
    {
        var weights = Scale([.. endpoints.Select(e => Math.Max(1, e.Address.Weight))]); // with 0, an endpoint is not chosen
        var current = new int[weights.Length];
        var circle = new Endpoint[weights.Sum()];
        for (var place = 0; place < circle.Length; place++)
        {
            var largest = 0;
            for (var i = 0; i < weights.Length; i++)
            {
                current[i] += weights[i];
                largest = current[i] > current[largest] ? i : largest;
            }

            current[largest] -= circle.Length;
            circle[place] = endpoints[largest];
        }

        return circle;
    }

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context)
    {
        // An endpoint that starts slowly passes most of its turns on. If all endpoints start slowly, the turns stay as they are.
        Endpoint? chosen = null;
        for (var i = 0; i < 8; i++)
        {
            chosen = _rotation.Next(plan, context);
            if (chosen is null || chosen.Warmth is var warmth && (warmth >= 1 || _random.NextDouble() < warmth))
            {
                return chosen;
            }
        }

        return chosen;
    }

    private static int[] Scale(int[] weights)
    {
        var divisor = weights.Aggregate(Divisor);
        var sum = weights.Sum(w => (long)(w / divisor));
        return sum <= MaxCircle
            ? [.. weights.Select(w => w / divisor)]
            : [.. weights.Select(w => (int)Math.Max(1, (long)(w / divisor) * MaxCircle / sum))];
    }

    private static int Divisor(int a, int b) => b == 0 ? a : Divisor(b, a % b);
}
