namespace ServiceMesh.Http;

/// <summary>
/// An attempt was cancelled before it had a connection. It is the inner exception of the cancellation, so that the layer that reports the
/// cancellation knows that nothing was sent.
/// </summary>
#pragma warning disable CA1032, CA1064 // Only the senders of this assembly create it, and it does not leave the assembly.
internal sealed class NothingSentException(TimeoutPhase phase, Exception failure) : Exception(failure.Message, failure)
#pragma warning restore CA1032, CA1064
{
    /// <summary>The phase that was under way: the connection, or the TLS handshake.</summary>
    public TimeoutPhase Phase => phase;

    /// <summary>
    /// The phase that was under way when a cancellation ended an attempt; null if something of the request had been sent.
    /// </summary>
    public static TimeoutPhase? PhaseIn(Exception? failure)
    {
        while (failure is not (null or NothingSentException))
        {
            failure = failure.InnerException;
        }

        return (failure as NothingSentException)?.Phase;
    }
}
