using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// One balancer for each priority of a set: the lowest number is used while one of its endpoints can take a request and
/// was not tried, then the next. This is what the client asks; the balancers beneath see one priority each.
/// </summary>
/// <param name="create">Makes the balancer of one priority.</param>
public sealed class PriorityBalancer(Func<IBalancer> create) : IBalancer
{
    private ImmutableArray<Tier> _tiers = [];

    /// <inheritdoc/>
    public void Update(ImmutableArray<Endpoint> endpoints)
    {
        var before = _tiers;
        var tiers = ImmutableArray.CreateBuilder<Tier>();
        foreach (var priority in endpoints.GroupBy(e => e.Address.Priority).OrderBy(g => g.Key))
        {
            // The balancer of a priority stays, and with it what it remembers.
            var balancer = before.FirstOrDefault(t => t.Priority == priority.Key)?.Balancer ?? create();
            ImmutableArray<Endpoint> members = [.. priority];
            balancer.Update(members);
            tiers.Add(new(priority.Key, balancer, members));
        }

        ImmutableInterlocked.InterlockedExchange(ref _tiers, tiers.ToImmutable());
    }

    /// <inheritdoc/>
    public Endpoint? Pick(in PickContext context)
    {
        Tier? tried = null;
        foreach (var tier in _tiers)
        {
            foreach (var endpoint in tier.Endpoints)
            {
                if (context.Allows(endpoint) && tier.Balancer.Pick(context) is { } picked)
                {
                    return picked;
                }

                tried = tried is null && endpoint.CanTake ? tier : tried;
            }
        }

        return tried?.Balancer.Pick(context);
    }

    private sealed record Tier(int Priority, IBalancer Balancer, ImmutableArray<Endpoint> Endpoints);
}
