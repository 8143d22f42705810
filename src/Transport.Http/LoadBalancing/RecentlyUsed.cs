using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>RecentlyUsed</c>: stays with one endpoint while it works; then changes to the endpoint that worked last, or to any.
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

        var next = LastWorking(plan.Endpoints, context) ?? RandomDraw.Uniform(plan.Endpoints, context, _random);

        // A retry that avoids the endpoint does not move the other requests: they stay until the endpoint itself fails.
        if (next is not null && (current is null || current.LastFailed || !current.CanTake || !plan.Members.Contains(current)))
        {
            // The first thread to change decides; the others follow with their next pick.
            Interlocked.CompareExchange(ref _current, next, current);
        }

        return next;
    }

    private static Endpoint? LastWorking(Endpoint[] endpoints, in PickContext context)
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
