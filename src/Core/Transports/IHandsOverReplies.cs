namespace ServiceMesh.Transports;

/// <summary>
/// A transport that hands a reply from the handler's node to the caller's as it is, and does not look at it afterwards: the caller's
/// node then uses it for another request.
/// </summary>
internal interface IHandsOverReplies;
