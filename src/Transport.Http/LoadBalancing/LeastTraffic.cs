namespace ServiceMesh.Http;

/// <summary><c>LeastTraffic</c>: the fewest bytes within about the last ten seconds, relative to the weight.</summary>
internal sealed class LeastTraffic(BalancerContext context) : LeastOf(context, changesWithTime: true)
{
    protected override double Score(Endpoint endpoint, uint now) => endpoint.BytesAt(now) / endpoint.EffectiveWeight;
}
