using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>PowerOfTwoChoices</c>, the default: the cheaper of two random endpoints. The cost is the peak average of the latency times the
/// attempts in flight, divided by the weight, and higher for a server that reports load. Two choices come close to the best choice, and
/// clients with the same knowledge do not all choose the same endpoint (Mitzenmacher; Finagle's "Power of Two Choices: Peak EWMA").
/// </summary>
internal sealed class PowerOfTwoChoices(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    private readonly Random _random = context.Random;
    private readonly TimeProvider _clock = context.Clock;

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context)
    {
        if (plan.Length > 1)
        {
            // Two numbers from one draw: for so few endpoints the lowest bits do not matter.
            var drawn = (ulong)_random.NextInt64();
            var first = (int)(((uint)drawn * (ulong)plan.Length) >> 32);
            var second = (int)(((drawn >> 32) * (ulong)(plan.Length - 1)) >> 31);
            second += second >= first ? 1 : 0;
            var (a, b) = (plan[first], plan[second]);
            switch (context.Allows(a), context.Allows(b))
            {
                case (true, true):
                    var now = CoarseClock.Read(_clock);
                    // Selecting an index compiles to a conditional move, so no branch is mispredicted.
                    return plan[Cost(b, now) * a.EffectiveWeight < Cost(a, now) * b.EffectiveWeight ? second : first];
                case (true, false): return a;
                case (false, true): return b;
            }
        }

        return RandomDraw.Uniform(plan, context, _random);
    }

    // Not divided by the weight yet.
    private static double Cost(Endpoint endpoint, uint now) =>
        endpoint.LatencyAt(now) * (endpoint.InFlight + 1) * (1 + endpoint.LoadAt(now));
}
