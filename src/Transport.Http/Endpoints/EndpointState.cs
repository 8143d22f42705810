namespace ServiceMesh.Http;

/// <summary>What is known about an endpoint.</summary>
public enum EndpointState
{
    /// <summary>The endpoint answers, or nothing is known about it: it takes requests.</summary>
    Healthy,

    /// <summary>The endpoint announced that it is shutting down: it finishes its requests and receives no new ones.</summary>
    Draining,

    /// <summary>The endpoint does not answer: it receives no requests until it does.</summary>
    Unreachable,
}
