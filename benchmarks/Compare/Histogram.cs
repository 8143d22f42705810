namespace ServiceMesh.Benchmarks;

/// <summary>
/// Latencies in buckets that grow by 2 %, so that every percentile is right within 1 % and adding a latency costs almost
/// nothing. Each caller has its own histogram; it is not thread-safe.
/// </summary>
internal sealed class Histogram
{
    private const double Growth = 1.02;
    private const int Buckets = 1200; // up to half an hour
    private const double SmallestMicroseconds = 0.1;

    private readonly long[] _buckets = new long[Buckets];

    public long Count { get; private set; }

    public void Add(TimeSpan latency)
    {
        var bucket = Math.Log(Math.Max(latency.TotalMicroseconds, SmallestMicroseconds) / SmallestMicroseconds, Growth);
        _buckets[Math.Min((int)bucket, _buckets.Length - 1)]++;
        Count++;
    }

    public static double Percentile(IReadOnlyCollection<Histogram> histograms, double share)
    {
        var wanted = (long)(histograms.Sum(h => h.Count) * share);
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            wanted -= histograms.Sum(h => h._buckets[bucket]);
            if (wanted <= 0)
            {
                return SmallestMicroseconds * Math.Pow(Growth, bucket + 0.5);
            }
        }

        return double.PositiveInfinity;
    }
}
