using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>The base of the built-in balancers: each update makes a new plan and swaps it, so that picks need no lock.</summary>
/// <typeparam name="TPlan">What a pick reads: the endpoints, and values computed from them.</typeparam>
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

        // An endpoint that was tried is better than none.
        return Choose(plan, context) ?? (context.Tried.IsEmpty ? null : Choose(plan, context with { Tried = default }));
    }

    /// <summary>Computes the plan. It is never called without endpoints.</summary>
    protected abstract TPlan Prepare(ImmutableArray<Endpoint> endpoints);

    /// <summary>Chooses an endpoint that <see cref="PickContext.Allows"/>; null if there is none.</summary>
    protected abstract Endpoint? Choose(TPlan plan, in PickContext context);
}
