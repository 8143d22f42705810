namespace ServiceMesh.Http;

/// <summary>Whether one endpoint fails more often than its peers. Pure.</summary>
internal static class FailureRates
{
    // In standard deviations. If both rates were equal, about one comparison in 740 would exceed it.
    private const double Confidence = 3;

    /// <summary>
    /// The test of two proportions (NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3): the difference of both rates in units of its
    /// standard deviation if the rates were equal. It takes the number of requests into account and works in the smallest groups, where a
    /// comparison with mean and standard deviation of all endpoints does not: among n endpoints none is ever more than √(n−1) deviations
    /// away from the mean.
    /// </summary>
    /// <param name="own">The outcomes of the endpoint.</param>
    /// <param name="peers">The outcomes of all its peers together.</param>
    /// <param name="margin">The smallest difference of rates that matters, however certain it is.</param>
    public static bool IsWorse(Outcomes own, Outcomes peers, double margin)
    {
        var difference = own.FailureRate - peers.FailureRate;
        if (difference <= 0 || difference < margin || peers.Total == 0)
        {
            return false;
        }

        var together = (double)(own.Failures + peers.Failures) / (own.Total + peers.Total);
        return difference >= Confidence * Math.Sqrt(together * (1 - together) * ((1.0 / own.Total) + (1.0 / peers.Total)));
    }
}
