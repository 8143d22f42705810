namespace ServiceMesh.Transports;

/// <summary>
/// A transport within one process. It hands a message and its reply from node to node as they are, and does not look at a reply
/// afterwards: the caller's node then uses it for another request.
/// </summary>
internal interface IInProcessTransport
{
    /// <summary>True to hand over values as they are; false to encode them as on any wire.</summary>
    bool PassesReferences { get; }
}
