using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>What the built-in balancers share: a plan made at each update and swapped whole, so that picks need no lock.</summary>
/// <typeparam name="TPlan">What a pick reads: the endpoints, and what was computed from them.</typeparam>
internal abstract class SnapshotBalancer<TPlan> : IBalancer
    where TPlan : class
{
    private TPlan? _plan;

    public void Update(ImmutableArray<Endpoint> endpoints) => Volatile.Write(ref _plan, endpoints.IsEmpty ? null : Prepare(endpoints));

    public Endpoint? Pick(in PickContext context)
    {
        if (Volatile.Read(ref _plan) is not { } plan)
        {
            return null;
        }

        // Better one that was tried already than none.
        return Choose(plan, context) ?? (context.Tried.IsEmpty ? null : Choose(plan, context with { Tried = default }));
    }

    /// <summary>Computes what picks need. Never called with no endpoints.</summary>
    protected abstract TPlan Prepare(ImmutableArray<Endpoint> endpoints);

    /// <summary>Chooses one that <see cref="PickContext.Allows"/>, or null when there is none.</summary>
    protected abstract Endpoint? Choose(TPlan plan, in PickContext context);
}
