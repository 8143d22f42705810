using System.Collections.Concurrent;

namespace ServiceMesh.Http;

/// <summary>
/// One endpoint of a service, and what is known of the node behind it. Written by its own watch, read by all.
/// </summary>
internal sealed class Member(Service service, Endpoint endpoint)
{
    // Topics come from the application and from nodes; what is remembered of them is bounded.
    private const int MostRemembered = 1024;

    private readonly ConcurrentDictionary<(MessageKind Kind, Topic Topic), Uri> _uris = new();
    private readonly string _name = service.Describe(endpoint);
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

    /// <summary>Where messages of a topic are posted to.</summary>
    public Uri UriOf(MessageKind kind, Topic topic)
    {
        if (_uris.TryGetValue((kind, topic), out var known))
        {
            return known;
        }

        if (_uris.Count >= MostRemembered)
        {
            _uris.Clear();
        }

        return _uris[(kind, topic)] = UriOf(service.PathOf(kind, topic));
    }

    /// <summary>A path with its query at this endpoint.</summary>
    public Uri UriOf(string path) => new($"{(service.IsTls(endpoint) ? "https" : "http")}://{endpoint}{path}");

    public override string ToString() => _name;
}
