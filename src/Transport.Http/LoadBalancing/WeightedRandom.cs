using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary><c>WeightedRandom</c>: each endpoint with a probability by its weight, which is reduced during a slow start.</summary>
internal sealed class WeightedRandom(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    private readonly Random _random = context.Random;

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context) => RandomDraw.Weighted(plan, context, _random);
}
