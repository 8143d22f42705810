namespace ServiceMesh.Http;

/// <summary><c>LeastTraffic</c>: the fewest bytes within about the last ten seconds for its weight.</summary>
internal sealed class LeastTraffic(BalancerContext context) : LeastOf(context)
{
    protected override double Score(Endpoint endpoint) => endpoint.RecentBytes / endpoint.EffectiveWeight;
}
