namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:RetryBudget</c>: how much all retries and hedges of this client may add to the
/// load of a service. Each service has a budget of its own.</summary>
public sealed class HttpRetryBudgetOptions
{
    /// <summary>The share of the requests of the last 10 seconds that may be sent again. 0 to 1. Default: 0.2.</summary>
    [OptionRange(0, 1)]
    public double Ratio { get; set; } = 0.2;

    /// <summary>The number of requests per second that may be sent again in any case. 0 to 10,000. Default: 10.</summary>
    [OptionRange(0, 10_000)]
    public double PerSecond { get; set; } = 10;

    /// <summary>How long both are counted. Not an option: tests change it.</summary>
    internal TimeSpan Window { get; set; } = TimeSpan.FromSeconds(10);
}
