using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>RecentlyUsed</c>: stays with one endpoint while it works; then goes to the one that worked last, or any.
/// </summary>
internal sealed class RecentlyUsed(BalancerContext context) : SnapshotBalancer<RecentlyUsed.Plan>
{
    private readonly Random _random = context.Random;
    private Endpoint? _current;

    protected override Plan Prepare(ImmutableArray<Endpoint> endpoints) => new([.. endpoints], [.. endpoints]);

    protected override Endpoint? Choose(Plan plan, in PickContext context)
    {
        var current = Volatile.Read(ref _current);
        if (current is { LastFailed: false } && plan.Members.Contains(current) && context.Allows(current))
        {
            return current;
        }

        var next = LastThatWorked(plan.Endpoints, context) ?? Draw.Uniform(plan.Endpoints, context, _random);

        // One request that avoids what it tried moves nobody else: the others go on until the endpoint itself fails.
        if (next is not null && (current is null || current.LastFailed || !current.CanTake || !plan.Members.Contains(current)))
        {
            // The first to move decides; the others follow with their next pick.
            Interlocked.CompareExchange(ref _current, next, current);
        }

        return next;
    }

    private static Endpoint? LastThatWorked(Endpoint[] endpoints, in PickContext context)
    {
        Endpoint? latest = null;
        foreach (var endpoint in endpoints)
        {
            if (endpoint is { LastFailed: false, LastSuccess: > 0 } && context.Allows(endpoint)
                && (latest is null || endpoint.LastSuccess > latest.LastSuccess))
            {
                latest = endpoint;
            }
        }

        return latest;
    }

    internal sealed record Plan(Endpoint[] Endpoints, HashSet<Endpoint> Members);
}
