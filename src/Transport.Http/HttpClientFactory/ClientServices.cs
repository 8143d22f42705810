using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The services of one configuration for all HttpClients that use it. The clients share endpoints, breakers, connections and the retry
/// budgets. Thread-safe.
/// </summary>
internal sealed class ClientServices : IAsyncDisposable, IDisposable
{
    private readonly BalancerKinds _balancers;
    private readonly ServiceEndpoints? _known;
    private readonly IAsyncDisposable _changes;
    private readonly HashSet<string> _shown = new(StringComparer.OrdinalIgnoreCase); // belongs to the thread that makes services
    private volatile Dictionary<string, ClientService> _services = [];
    private readonly ServiceLookup _lookup;
    private readonly Meter? _ownMeter;
    private int _isDisposed;

    /// <exception cref="InvalidOperationException">The configuration is not valid; the message names each key.</exception>
    public ClientServices(
        HttpTransportOptions options, ILookupClient? dns, IMeterFactory? meters, ILoggerFactory loggers, TimeProvider clock,
        ServiceEndpoints? known = null, string busName = "", ServiceChanges? changes = null)
    {
        HttpOptionsRules.Check(options);
        var resolvers = new ResolverKinds(options.Resolvers);
        (_balancers, _known) = (new BalancerKinds(options.Balancers), known);
        Options = options;
        Clock = clock;
        Logger = new PrintableLogs(loggers, clock).CreateLogger("ServiceMesh.Http");
        Connections = new(options.Timeouts, options.Tls.OpenClient(clock, Logger), clock, Random.Shared);
        _ownMeter = meters is null ? new("ServiceMesh") : null; // a factory disposes the meters that it created
        var metrics = new ClientMetrics(_ownMeter ?? meters!.Create(MeshTelemetry.MeterName), ClientMetrics.HttpClients, busName);
        var budgets = new RetryBudgets(options.RetryBudget, clock, options.Services.Keys);
        metrics.ObserveBudgets(() => budgets.Available);
        _lookup = new(options.OfEndpoints, options.Dns, resolvers, dns, clock, Logger, metrics);
        Pipeline = new(options.Limits, budgets, clock, Random.Shared, metrics);
        DiscoveryMetrics.Observe(
            metrics.Meter, () => _services.Values.Select(s => s.Service.Started).OfType<GroupWatcher>(), metrics.Client);
        _services = Make(options.Services);
        _changes = (changes ?? ServiceChanges.None).Watch((services, _) => ReplaceAsync(services), Logger);
    }

    public HttpTransportOptions Options { get; }

    public ConnectionPool Connections { get; }

    public ClientPipeline<HttpResponseMessage> Pipeline { get; }

    public TimeProvider Clock { get; }

    public ILogger Logger { get; }

    /// <summary>
    /// The service whose name is the host of a URI without a port, or the named endpoint (<c>_NAME.SERVICE</c>). Null for all other URIs.
    /// </summary>
    /// <exception cref="HttpRequestException">The service has no endpoint of that name.</exception>
    public ClientService? Find(Uri? uri)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) != 0, typeof(ServiceMeshHandler));
        if (uri is not { IsAbsoluteUri: true, IsDefaultPort: true } || !ServiceUri.IsOfService(uri))
        {
            return null;
        }

        return _services.GetValueOrDefault(uri.Host) ?? (ServiceUri.ServiceOf(uri.Host) is { } named && _services.ContainsKey(named)
            ? throw new HttpRequestException(
                $"Service '{named}' has no endpoint that is called '{ServiceUri.NameOf(uri.Host)}'. " +
                $"Add {Options.KeyOf($"Services:{named}:Endpoints:{ServiceUri.NameOf(uri.Host)}")}, or call the service without it.")
            : null);
    }

    /// <summary>Creates the watch of a service's addresses.</summary>
    public GroupWatcher Watch(Service service, Action<ImmutableArray<Endpoint>> changed) => _lookup.Watch(service, changed);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            await _changes.DisposeAsync().ConfigureAwait(false);
            foreach (var service in _services.Values)
            {
                await service.DisposeAsync().ConfigureAwait(false);
            }

            Connections.Dispose();
            _ownMeter?.Dispose();
        }
    }

    // Handlers can only be disposed synchronously. The watches end at once.
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task ReplaceAsync(IReadOnlyDictionary<string, HttpServiceOptions> settings)
    {
        var (before, after) = (_services, Make(settings));
        if (before.Count == after.Count && before.All(s => after.GetValueOrDefault(s.Key) == s.Value))
        {
            return;
        }

        ServiceDifference.Log(Logger, before, after);
        _services = after;
        foreach (var gone in before.Values.Except(after.Values))
        {
            await gone.DisposeAsync().ConfigureAwait(false); // its requests in flight end by themselves
        }
    }

    // Services whose settings are the same stay the same objects, with everything that is known about their servers.
    private Dictionary<string, ClientService> Make(IReadOnlyDictionary<string, HttpServiceOptions> services)
    {
        var before = _services;
        var balancing = new BalancerContext { Clock = Clock };
        var made = services.SelectMany(s => s.Value.WithNamed(s.Key)).ToDictionary(
            s => s.Host,
            s => before.GetValueOrDefault(s.Host) is { } known && known.Service.Settings.IsSameAs(s.Settings)
                ? known
                : new ClientService(
                    new(s.Host, s.Settings, Options.CallsOf(s.Settings)), _balancers.Create(s.Settings.Balancer, balancing), this),
            StringComparer.OrdinalIgnoreCase); // as hosts are compared
        foreach (var name in made.Keys.Where(_shown.Add))
        {
            _known?.Add(name, () => _services.GetValueOrDefault(name)?.Service.Addresses ?? []);
        }

        return made;
    }
}
