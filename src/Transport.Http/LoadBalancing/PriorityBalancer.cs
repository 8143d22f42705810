using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// One balancer for each priority of a set. The lowest number is used while one of its endpoints can take a request and was not tried,
/// then the next. The client asks this balancer; the balancers below it see one priority each.
/// </summary>
/// <remarks>
/// An endpoint whose open circuit is due for a trial is chosen before all others of its priority; otherwise it would never receive the
/// trial. An attempt that no other can follow is the trial only if no other endpoint is left, or if no other request came for the trial.
/// If every endpoint was tried, ejected endpoints are next, and after them the endpoints that were tried.
/// </remarks>
/// <param name="create">Creates the balancer of one priority.</param>
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
            tiers.Add(new(priority.Key, balancer, members, [.. members.Select(m => m.Guard?.Group).OfType<IEndpointGroup>().Distinct()]));
        }

        ImmutableInterlocked.InterlockedExchange(ref _tiers, tiers.ToImmutable());
    }

    /// <inheritdoc/>
    public Endpoint? Pick(in PickContext context) =>
        Untried(context)
        ?? (context.IsLastAttempt ? Untried(context with { IsLastAttempt = false }) : null)
        ?? Untried(context with { IsLastAttempt = false, IgnoresEjection = true })
        ?? Tried(context with { IsLastAttempt = false })
        ?? Tried(context with { IsLastAttempt = false, IgnoresEjection = true });

    private Endpoint? Untried(in PickContext context)
    {
        foreach (var tier in _tiers)
        {
            if (DueForTrial(tier, context) is { } due)
            {
                return due;
            }

            foreach (var endpoint in tier.Endpoints)
            {
                if (context.Allows(endpoint) && tier.Balancer.Pick(context) is { } picked)
                {
                    return picked;
                }
            }
        }

        return null;
    }

    private Endpoint? Tried(in PickContext context)
    {
        foreach (var tier in _tiers)
        {
            foreach (var endpoint in tier.Endpoints)
            {
                if (context.CanTake(endpoint))
                {
                    return tier.Balancer.Pick(context);
                }
            }
        }

        return null;
    }

    // Only a first attempt is chosen as the trial, because it has others left. While all circuits are closed this reads one flag.
    private static Endpoint? DueForTrial(Tier tier, in PickContext context)
    {
        foreach (var group in tier.Groups)
        {
            if (group.HasOpenCircuits && context.Tried.IsEmpty)
            {
                foreach (var endpoint in tier.Endpoints)
                {
                    if (endpoint.Guard is { IsTrialDue: true } && context.Allows(endpoint))
                    {
                        return endpoint;
                    }
                }
            }
        }

        return null;
    }

    private sealed record Tier(int Priority, IBalancer Balancer, ImmutableArray<Endpoint> Endpoints, ImmutableArray<IEndpointGroup> Groups);
}
