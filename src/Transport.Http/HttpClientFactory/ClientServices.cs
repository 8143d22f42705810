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
    private readonly Dictionary<string, ClientService> _services;
    private readonly ServiceLookup _lookup;
    private readonly Meter? _ownMeter;
    private int _isDisposed;

    /// <exception cref="InvalidOperationException">The configuration is not valid; the message names each key.</exception>
    public ClientServices(
        HttpTransportOptions options, ILookupClient? dns, IMeterFactory? meters, ILoggerFactory loggers, TimeProvider clock,
        ServiceEndpoints? known = null, string busName = "")
    {
        HttpOptionsRules.Check(options);
        var (resolvers, balancers) = (new ResolverKinds(options.Resolvers), new BalancerKinds(options.Balancers));
        Options = options;
        Clock = clock;
        Connections = new(options.Timeouts, options.Tls.LoadTrustedRoots(), clock, Random.Shared);
        Logger = new PrintableLogs(loggers).CreateLogger("ServiceMesh.Http");
        _ownMeter = meters is null ? new("ServiceMesh") : null; // a factory disposes the meters that it created
        var metrics = new ClientMetrics(_ownMeter ?? meters!.Create(MeshTelemetry.MeterName), ClientMetrics.HttpClients, busName);
        var budgets = new RetryBudgets(options.RetryBudget, clock, options.Services.Keys);
        metrics.ObserveBudgets(() => budgets.Available);
        _lookup = new(options.OfEndpoints, options.Dns, resolvers, dns, clock, Logger, metrics);
        Pipeline = new(options.Limits, budgets, clock, Random.Shared, metrics);
        var balancing = new BalancerContext { Clock = clock };
        _services = options.Services.SelectMany(s => s.Value.WithNamed(s.Key)).ToDictionary(
            s => s.Host,
            s => new ClientService(
                new(s.Host, s.Settings, options.CallsOf(s.Settings)), balancers.Create(s.Settings.Balancer, balancing), this),
            StringComparer.OrdinalIgnoreCase); // as hosts are compared
        DiscoveryMetrics.Observe(
            metrics.Meter, () => _services.Values.Select(s => s.Service.Started).OfType<GroupWatcher>(), metrics.Client);
        foreach (var service in _services.Values)
        {
            known?.Add(service.Name, () => service.Service.Addresses);
        }
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
}
