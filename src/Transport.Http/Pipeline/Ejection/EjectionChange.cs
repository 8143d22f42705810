namespace ServiceMesh.Http;

/// <summary>Why an endpoint was ejected, or returned.</summary>
internal enum EjectionCause
{
    /// <summary>Too many consecutive failures: ejected.</summary>
    ConsecutiveFailures,

    /// <summary>A failure rate clearly above that of its peers: ejected.</summary>
    FailureRate,

    /// <summary>The ejection time has passed: returned.</summary>
    TimePassed,

    /// <summary>It was unreachable and answers again: returned.</summary>
    AnswersAgain,

    /// <summary>The group became too small for so many ejections: returned.</summary>
    GroupShrank,
}

/// <summary>An endpoint was ejected, or returned. Immutable.</summary>
/// <param name="Endpoint">The endpoint.</param>
/// <param name="IsEjected">Whether the endpoint is ejected from now on.</param>
/// <param name="Cause">The cause.</param>
/// <param name="Times">The number of ejections that the ejection time was computed from.</param>
/// <param name="Time">How long the ejection lasts, or was to last.</param>
internal sealed record EjectionChange(Endpoint Endpoint, bool IsEjected, EjectionCause Cause, int Times, TimeSpan Time);
