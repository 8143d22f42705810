using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary><c>WeightedRandom</c>: each endpoint with a chance by its weight; one that starts slowly has less.</summary>
internal sealed class WeightedRandom(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    private readonly Random _random = context.Random;

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context) => Draw.Weighted(plan, context, _random);
}
