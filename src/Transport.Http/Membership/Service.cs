using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>One configured service: its settings, and its addresses kept fresh.</summary>
internal sealed class Service : IAsyncDisposable
{
    private readonly Dictionary<string, string> _paths;
    private GroupWatcher? _group;

    /// <param name="name">In the configuration.</param>
    /// <param name="settings">Its own.</param>
    /// <param name="calls">How its requests are retried and timed.</param>
    public Service(string name, HttpServiceOptions settings, CallSettings calls)
    {
        Calls = calls;
        Name = name;
        Settings = settings;
        _paths = new(settings.Topics, StringComparer.Ordinal);
    }

    public string Name { get; }

    public HttpServiceOptions Settings { get; }

    public CallSettings Calls { get; }

    /// <summary>True for servers that are not nodes, which a service with topics or a health path has: the bus does not ask them who they are.</summary>
    public bool IsForeign => _paths.Count > 0 || Settings.HealthPath is not null;

    public IEnumerable<string> StatedTopics => _paths.Keys;

    /// <summary>Its addresses; once it has started.</summary>
    public GroupWatcher Group => _group!;

    /// <summary>The same; null before it has started.</summary>
    public GroupWatcher? Started => Volatile.Read(ref _group);

    /// <summary>Its addresses now; none before it has started.</summary>
    public ImmutableArray<Endpoint> Addresses => _group?.Endpoints ?? [];

    /// <summary>What is posted to for a topic.</summary>
    public string PathOf(MessageKind kind, Topic topic) =>
        _paths.TryGetValue(topic.ToString(), out var path) && path.Length > 0 ? path : MessageWire.PathOf(kind, topic);

    /// <summary>Begins to resolve.</summary>
    /// <param name="makeWatcher">Makes the watch of this service's addresses.</param>
    /// <param name="changed">Takes each new set.</param>
    public void Start(Func<Service, Action<ImmutableArray<Endpoint>>, GroupWatcher> makeWatcher, Action<ImmutableArray<Endpoint>> changed)
    {
        _group = makeWatcher(this, changed);
        _group.Start();
    }

    public ValueTask DisposeAsync() => _group?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Whether an endpoint is called over TLS.</summary>
    public bool IsTls(Endpoint endpoint) => endpoint.Address.Tls ?? Settings.Tls;

    /// <summary>An endpoint as it is named to people: with its scheme.</summary>
    public string Describe(Endpoint endpoint) => $"{(IsTls(endpoint) ? "https" : Settings.Http2 ? "h2c" : "http")}://{endpoint}";
}
