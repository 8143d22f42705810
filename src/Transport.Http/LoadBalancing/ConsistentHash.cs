using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>ConsistentHash</c>: equal keys go to the same endpoint, in every client, and few keys move when the set of endpoints changes.
/// A message without a key goes to a random endpoint. Maglev hashing (Eisenbud et al., NSDI 2016), by weight.
/// </summary>
internal sealed class ConsistentHash(BalancerContext context) : SnapshotBalancer<MaglevTable>
{
    private readonly Random _random = context.Random;

    protected override MaglevTable Prepare(ImmutableArray<Endpoint> endpoints) => new(endpoints);

    protected override Endpoint? Choose(MaglevTable plan, in PickContext context)
    {
        if (context.Key is null)
        {
            return RandomDraw.Weighted(plan.Endpoints, context, _random);
        }

        // The places that follow belong to other endpoints in a different order for each key, so the keys of a failed endpoint spread.
        var hash = StableHash.Of(context.Key);
        for (uint step = 0; step < 4 * plan.Endpoints.Length; step++)
        {
            var endpoint = plan.At(hash + step);
            if (context.Allows(endpoint))
            {
                return endpoint;
            }
        }

        // Nearly all endpoints are out. The first one left, in a fixed order, is still the same for equal keys.
        for (uint i = 0; i < plan.Endpoints.Length; i++)
        {
            var endpoint = plan.Endpoints[(hash + i) % (uint)plan.Endpoints.Length];
            if (context.Allows(endpoint))
            {
                return endpoint;
            }
        }

        return null;
    }
}
