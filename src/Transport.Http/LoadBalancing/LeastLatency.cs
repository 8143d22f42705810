namespace ServiceMesh.Http;

/// <summary><c>LeastLatency</c>: the lowest peak average of the latency. Weights are ignored.</summary>
internal sealed class LeastLatency(BalancerContext context) : LeastOf(context, changesWithTime: true)
{
    protected override double Score(Endpoint endpoint, uint now) => endpoint.LatencyAt(now);
}
