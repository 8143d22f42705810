using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>WeightedRoundRobin</c>, smooth: each pick adds its weight to every candidate, takes the largest and subtracts the sum from
/// it (nginx). {5, 1, 1} is a a b a c a a. The circle is computed at each update, so that a pick is one step in it.
/// </summary>
internal sealed class WeightedRoundRobin(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    /// <summary>The longest circle. Weights that would need a longer one are scaled, and none below 1.</summary>
    public const int LongestCircle = 4096;

    private readonly Random _random = context.Random;
    private readonly Turn _turn = new(context.Random);

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints)
    {
        var weights = Scale([.. endpoints.Select(e => e.Address.Weight)]);
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
        // An endpoint that starts slowly gives most of its turns away. When all are slow, the turns are shared as they are.
        Endpoint? chosen = null;
        for (var i = 0; i < 8; i++)
        {
            chosen = _turn.Next(plan, context);
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
        return sum <= LongestCircle
            ? [.. weights.Select(w => w / divisor)]
            : [.. weights.Select(w => (int)Math.Max(1, (long)(w / divisor) * LongestCircle / sum))];
    }

    private static int Divisor(int a, int b) => b == 0 ? a : Divisor(b, a % b);
}
