using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>One configured service: its settings, and its addresses, which are kept up to date.</summary>
internal sealed class Service : IAsyncDisposable
{
    private readonly Dictionary<string, string> _paths;
    private readonly ConditionalWeakTable<Endpoint, HttpTarget> _targets = [];
    private readonly ConditionalWeakTable<Endpoint, HttpTarget> _secureTargets = [];
    private GroupWatcher? _group;

    /// <param name="name">The name in the configuration.</param>
    /// <param name="settings">The settings of the service.</param>
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

    /// <summary>How long a connection to one of its servers may take.</summary>
    public TimeSpan ConnectLimit => Calls.Connect;

    /// <summary>
    /// Whether its servers are not nodes, as those of a service with topics or a health path: the bus does not ask them for a document.
    /// </summary>
    public bool IsForeign => _paths.Count > 0 || Settings.HealthPath is not null;

    public IEnumerable<string> ConfiguredTopics => _paths.Keys;

    /// <summary>The watch of its addresses, after the start.</summary>
    public GroupWatcher Group => _group!;

    /// <summary>The same; null before the start.</summary>
    public GroupWatcher? Started => Volatile.Read(ref _group);

    /// <summary>Its endpoints now; empty before the start.</summary>
    public ImmutableArray<Endpoint> Addresses => _group?.Endpoints ?? [];

    /// <summary>The path that messages of a topic are posted to.</summary>
    public string PathOf(MessageKind kind, Topic topic) =>
        _paths.TryGetValue(topic.ToString(), out var path) && path.Length > 0 ? path : MessageWire.PathOf(kind, topic);

    /// <summary>Begins to resolve the addresses.</summary>
    /// <param name="makeWatcher">Creates the watch of the addresses of this service.</param>
    /// <param name="changed">Receives each new set of endpoints.</param>
    public void Start(Func<Service, Action<ImmutableArray<Endpoint>>, GroupWatcher> makeWatcher, Action<ImmutableArray<Endpoint>> changed)
    {
        _group = makeWatcher(this, changed);
        _group.Start();
    }

    public ValueTask DisposeAsync() => _group?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>An endpoint as requests are sent to it.</summary>
    /// <param name="endpoint">An endpoint of this service.</param>
    /// <param name="forceTls">True: over TLS, whatever the address and the service say.</param>
    public HttpTarget TargetOf(Endpoint endpoint, bool forceTls = false)
    {
        var targets = forceTls ? _secureTargets : _targets;
        return targets.TryGetValue(endpoint, out var known) ? known : targets.GetValue(
            endpoint, e => new(e, forceTls || IsTls(e), Settings.Http2, IsForeign, Describe(e)) { Timeouts = Settings.Timeouts });
    }

    /// <summary>The name of an endpoint for messages, with its scheme.</summary>
    public string Describe(Endpoint endpoint) =>
        $"{(IsTls(endpoint) ? "https" : Settings.Http2 ? "h2c" : "http")}://{endpoint}{endpoint.Address.Path}";

    private bool IsTls(Endpoint endpoint) => endpoint.Address.Tls ?? Settings.Tls;
}
