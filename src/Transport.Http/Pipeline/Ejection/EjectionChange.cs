namespace ServiceMesh.Http;

/// <summary>Why an endpoint was ejected, or is back.</summary>
internal enum EjectionCause
{
    /// <summary>It failed too often in a row: ejected.</summary>
    ConsecutiveFailures,

    /// <summary>It failed clearly more often than its peers: ejected.</summary>
    FailureRate,

    /// <summary>Its time is over: back.</summary>
    TimePassed,

    /// <summary>The group has become too small for so many to be out: back.</summary>
    GroupShrank,
}

/// <summary>An endpoint was ejected, or is back. Immutable.</summary>
/// <param name="Endpoint">Which.</param>
/// <param name="IsEjected">Whether it is out from now on.</param>
/// <param name="Cause">Why.</param>
/// <param name="Times">The how manieth time it is out, as its time is reckoned.</param>
/// <param name="Time">How long it is out, or was to be.</param>
internal sealed record EjectionChange(Endpoint Endpoint, bool IsEjected, EjectionCause Cause, int Times, TimeSpan Time);
