namespace ServiceMesh.Http;

/// <summary>Whether one endpoint fails more often than its peers. Pure.</summary>
internal static class FailureRates
{
    // Once in about 740 comparisons, were both alike.
    private const double Sure = 3;

    /// <summary>
    /// The test of two proportions (NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3): the difference of both rates in
    /// units of its standard deviation if they were one. It takes the numbers of requests into account and works in the
    /// smallest groups, where comparing with mean and standard deviation of all endpoints cannot: among n endpoints none is ever
    /// more than √(n−1) deviations away from the mean.
    /// </summary>
    /// <param name="own">Of the endpoint.</param>
    /// <param name="peers">Of all its peers together.</param>
    /// <param name="margin">A difference of rates that matters, however sure it is.</param>
    public static bool IsWorse(Outcomes own, Outcomes peers, double margin)
    {
        var difference = own.FailureRate - peers.FailureRate;
        if (difference <= 0 || difference < margin || peers.Total == 0)
        {
            return false;
        }

        var together = (double)(own.Failures + peers.Failures) / (own.Total + peers.Total);
        return difference >= Sure * Math.Sqrt(together * (1 - together) * ((1.0 / own.Total) + (1.0 / peers.Total)));
    }
}
