namespace ServiceMesh.Http;

/// <summary>
/// Nothing of a request of an HttpClient was sent, so it was certainly not processed: its service has no endpoint that takes requests, or
/// the client has too many requests in flight. It is the inner exception of an <see cref="HttpRequestException"/>.
/// </summary>
#pragma warning disable CA1032 // Only the mesh creates this exception.
public sealed class RequestNotSentException : Exception
#pragma warning restore CA1032
{
    internal RequestNotSentException(string message)
        : base(message)
    {
    }
}
