using System.Collections.Immutable;

namespace ServiceMesh.Http.Tests;

/// <summary>A balancer at whose choices a test may do what others do meanwhile, or take the choice away.</summary>
internal sealed class ScriptedBalancer(IBalancer balancer, Func<Endpoint?, int, Endpoint?> chosen) : IBalancer
{
    private int _picks;

    public void Update(ImmutableArray<Endpoint> endpoints) => balancer.Update(endpoints);

    public Endpoint? Pick(in PickContext context) => chosen(balancer.Pick(context), ++_picks);
}
