namespace ServiceMesh.Http;

/// <summary>
/// One endpoint of a service, and what is known of the node behind it. Written by its own watch, read by all.
/// </summary>
internal sealed class Member(Service service, Endpoint endpoint)
{
    private volatile NodeDocument? _document;
    private volatile string? _trouble;

    public Service Service => service;

    public Endpoint Endpoint => endpoint;

    /// <summary>What the node said last; null before it has, and after it has left.</summary>
    public NodeDocument? Document
    {
        get => _document;
        set => _document = value;
    }

    /// <summary>Why it is unreachable; null when it is not.</summary>
    public string? Trouble
    {
        get => _trouble;
        set => _trouble = value;
    }

    public bool IsReachable => endpoint.State != EndpointState.Unreachable;

    public override string ToString() => service.Describe(endpoint);
}
