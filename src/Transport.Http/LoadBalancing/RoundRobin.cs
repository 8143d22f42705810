using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary><c>RoundRobin</c>: one after the other.</summary>
internal sealed class RoundRobin(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    // Many clients that start at once should not all begin with the same endpoint.
    private readonly Turn _turn = new(context.Random);

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context) => _turn.Next(plan, context);
}
