using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>The endpoint with the lowest score; among equals a random one, so that clients that start alike spread.</summary>
internal abstract class LeastOf(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    private readonly Random _random = context.Random;

    protected abstract double Score(Endpoint endpoint);

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context)
    {
        Endpoint? best = null;
        var lowest = double.PositiveInfinity;
        var equals = 0;
        foreach (var endpoint in plan)
        {
            if (!context.Allows(endpoint))
            {
                continue;
            }

            var score = Score(endpoint);
            if (best is null || score < lowest)
            {
                (best, lowest, equals) = (endpoint, score, 1);
            }
            else if (score == lowest && _random.Next(++equals) == 0)
            {
                best = endpoint;
            }
        }

        return best;
    }
}
