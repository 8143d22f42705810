namespace ServiceMesh.Http;

/// <summary>An endpoint as a request is sent to it.</summary>
/// <param name="Endpoint">The endpoint.</param>
/// <param name="IsTls">Whether it is called over TLS.</param>
/// <param name="IsHttp2">Whether it is called over HTTP/2 without TLS, where nothing negotiates the version.</param>
/// <param name="IsForeign">Whether the server is not a node of the mesh.</param>
/// <param name="Name">The name for messages, with its scheme.</param>
internal readonly record struct HttpTarget(Endpoint Endpoint, bool IsTls, bool IsHttp2, bool IsForeign, string Name)
{
    public override string ToString() => Name;
}
