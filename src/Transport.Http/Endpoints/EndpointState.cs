namespace ServiceMesh.Http;

/// <summary>What is known of an endpoint.</summary>
public enum EndpointState
{
    /// <summary>It answers, or nothing else is known: it takes requests.</summary>
    Healthy,

    /// <summary>It said that it is shutting down: it finishes what it has and gets nothing more.</summary>
    Draining,

    /// <summary>It does not answer: it gets nothing until it does.</summary>
    Unreachable,
}
