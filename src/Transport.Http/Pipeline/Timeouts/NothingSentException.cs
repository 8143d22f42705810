namespace ServiceMesh.Http;

/// <summary>
/// An attempt was cut short before it had a connection: inside of the cancellation that cut it, for whoever reports that.
/// </summary>
#pragma warning disable CA1032, CA1064 // Only the senders of this assembly make one, and nobody outside sees it.
internal sealed class NothingSentException(TimeoutPhase underWay, Exception failure) : Exception(failure.Message, failure)
#pragma warning restore CA1032, CA1064
{
    /// <summary>What was under way: the connection, or the TLS handshake.</summary>
    public TimeoutPhase UnderWay => underWay;

    /// <summary>What was under way when a timeout cut an attempt short; null when it had been sent.</summary>
    public static TimeoutPhase? UnderWayIn(Exception? failure)
    {
        while (failure is not (null or NothingSentException))
        {
            failure = failure.InnerException;
        }

        return (failure as NothingSentException)?.UnderWay;
    }
}
