using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary><c>Random</c>: each endpoint with the same probability.</summary>
internal sealed class RandomChoice(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    private readonly Random _random = context.Random;

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context) => RandomDraw.Uniform(plan, context, _random);
}
