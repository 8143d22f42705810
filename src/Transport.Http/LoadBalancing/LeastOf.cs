using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>The endpoint with the lowest score; a random one among equals, so that clients that start together spread.</summary>
/// <param name="context">The clock and the source of randomness.</param>
/// <param name="changesWithTime">Whether scores depend on the time, which is then read once for all endpoints.</param>
internal abstract class LeastOf(BalancerContext context, bool changesWithTime) : SnapshotBalancer<Endpoint[]>
{
    private readonly Random _random = context.Random;
    private readonly TimeProvider? _clock = changesWithTime ? context.Clock : null;

    protected abstract double Score(Endpoint endpoint, uint now);

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context)
    {
        Endpoint? best = null;
        var lowest = double.PositiveInfinity;
        var equals = 0;
        var now = _clock is null ? 0 : CoarseClock.Read(_clock);
        foreach (var endpoint in plan)
        {
            if (!context.Allows(endpoint))
            {
                continue;
            }

            var score = Score(endpoint, now);
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
