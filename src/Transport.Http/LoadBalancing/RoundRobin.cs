using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary><c>RoundRobin</c>: the endpoints in turn.</summary>
internal sealed class RoundRobin(BalancerContext context) : SnapshotBalancer<Endpoint[]>
{
    // Random at first: clients that start together should not all begin with the same endpoint.
    private readonly RotatingIndex _rotation = new(context.Random);

    protected override Endpoint[] Prepare(ImmutableArray<Endpoint> endpoints) => [.. endpoints];

    protected override Endpoint? Choose(Endpoint[] plan, in PickContext context) => _rotation.Next(plan, context);
}
