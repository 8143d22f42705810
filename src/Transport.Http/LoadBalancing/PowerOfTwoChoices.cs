using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>PowerOfTwoChoices</c>, the default: the cheaper of two random endpoints. The cost is the peak average of the latency times the
/// attempts in flight, divided by the weight, and higher for a server that reports load. Two choices come close to the best choice, and
/// clients with the same knowledge do not all choose the same endpoint (Mitzenmacher; Finagle's "Power of Two Choices: Peak EWMA").
/// </summary>
/// <remarks>
/// Without load only the latency would decide, and an endpoint that was slow once, or a little slower than its equals, would get nothing
/// for a long time. So latencies that differ by less than a factor of two count as equal, an endpoint that was never tried gets the
/// first request that draws it, and one pick in 32 is a probe, which goes to any idle endpoint.
/// </remarks>
internal sealed class PowerOfTwoChoices(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    private const ulong ProbeMask = 31;
    private const float BusyLoad = 0.5f;

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
                    if ((drawn & ProbeMask) == 0 && Probe(plan, context, now) is { } idle)
                    {
                        return idle;
                    }

                    if (a.IsUntested != b.IsUntested)
                    {
                        return a.IsUntested ? a : b;
                    }

                    // Selecting an index compiles to a conditional move, so no branch is mispredicted.
                    var (latencyA, latencyB) = (a.LatencyAt(now), b.LatencyAt(now));
                    var isEqual = latencyA <= 2 * latencyB && latencyB <= 2 * latencyA;
                    var costA = (isEqual ? latencyB : latencyA) * Load(a, now) * b.EffectiveWeight;
                    return plan[latencyB * Load(b, now) * a.EffectiveWeight < costA ? second : first];
                case (true, false): return a;
                case (false, true): return b;
            }
        }

        return RandomDraw.Uniform(plan, context, _random);
    }

    private static double Load(Endpoint endpoint, uint now) => (endpoint.InFlight + 1) * (1 + endpoint.LoadAt(now));

    // An endpoint that is busy, or whose server says so, is not probed: its answers are on the way, or its load is known.
    private Endpoint? Probe(Endpoint[] plan, in PickContext context, uint now) =>
        RandomDraw.Weighted(plan, context, _random) is { InFlight: 0 } drawn && drawn.LoadAt(now) < BusyLoad ? drawn : null;
}
