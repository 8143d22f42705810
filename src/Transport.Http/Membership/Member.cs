using System.Collections.Concurrent;

namespace ServiceMesh.Http;

/// <summary>One endpoint of a service, and what is known about the node behind it. Its own watch writes it; all others read it.</summary>
internal sealed class Member
{
    // Topics come from the application and from other nodes, so the number of remembered URIs is bounded.
    private const int MaxRemembered = 1024;

    private readonly ConcurrentDictionary<(MessageKind Kind, Topic Topic), Uri> _uris = new();
    private volatile NodeDocument? _document;
    private volatile string? _trouble;

    public Member(Service service, Endpoint endpoint)
    {
        Service = service;
        Target = service.TargetOf(endpoint);
    }

    public Service Service { get; }

    /// <summary>How requests are sent to it.</summary>
    public HttpTarget Target { get; }

    public Endpoint Endpoint => Target.Endpoint;

    /// <summary>The last document of the node; null before the first, and after the node has left.</summary>
    public NodeDocument? Document
    {
        get => _document;
        set => _document = value;
    }

    /// <summary>Why the endpoint is unreachable; null while it is reachable.</summary>
    public string? Trouble
    {
        get => _trouble;
        set => _trouble = value;
    }

    public bool IsReachable => Endpoint.State != EndpointState.Unreachable;

    /// <summary>The URI that messages of a topic are posted to.</summary>
    public Uri UriOf(MessageKind kind, Topic topic)
    {
        if (_uris.TryGetValue((kind, topic), out var known))
        {
            return known;
        }

        if (_uris.Count >= MaxRemembered)
        {
            _uris.Clear();
        }

        return _uris[(kind, topic)] = UriOf(Service.PathOf(kind, topic));
    }

    /// <summary>The URI of a path with its query.</summary>
    public Uri UriOf(string path) => new(Target.Origin + path);

    /// <summary>Scheme, host and port.</summary>
    public override string ToString() => Target.Name;
}

/// <summary>A member, with the last document of its node at the moment of the snapshot.</summary>
internal readonly record struct MemberSnapshot(Member Member, NodeDocument? Document);
