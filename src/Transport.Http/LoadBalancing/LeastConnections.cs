namespace ServiceMesh.Http;

/// <summary><c>LeastConnections</c>: the fewest attempts in flight, relative to the weight.</summary>
internal sealed class LeastConnections(BalancerContext context) : LeastOf(context, changesWithTime: false)
{
    protected override double Score(Endpoint endpoint, uint now) => (endpoint.InFlight + 1) / endpoint.EffectiveWeight;
}
