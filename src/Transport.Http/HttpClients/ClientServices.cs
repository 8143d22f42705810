using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The services of one configuration for all HttpClients that use it: they share endpoints, breakers, connections and the
/// budget of retries, however many clients there are. Thread-safe.
/// </summary>
internal sealed class ClientServices : IAsyncDisposable, IDisposable
{
    private readonly Dictionary<string, ClientService> _services;
    private readonly ServiceLookup _lookup;
    private readonly Meter? _ownMeter;
    private int _isDisposed;

    /// <exception cref="InvalidOperationException">The configuration cannot work; the message names each offending key.</exception>
    public ClientServices(
        HttpTransportOptions options, ResolverKinds resolvers, BalancerKinds balancers, ILookupClient? dns, IMeterFactory? meters, ILoggerFactory loggers, TimeProvider clock, ServiceEndpoints? known = null,
        string busName = "")
    {
        HttpOptionsCheck.Check(options, resolvers, balancers);
        Options = options;
        Clock = clock;
        Connections = new(options, clock, Random.Shared);
        Logger = loggers.CreateLogger("ServiceMesh.Http");
        _ownMeter = meters is null ? new("ServiceMesh") : null; // a factory disposes those that it made
        var metrics = new ClientMetrics(_ownMeter ?? meters!.Create("ServiceMesh"), ClientMetrics.HttpClients, busName);
        var budget = new RetryBudget(options.RetryBudget, clock);
        metrics.Observe(budget);
        _lookup = new(options, resolvers, dns, clock, Logger, metrics);
        Layers = new(options.Limits, budget, clock, Random.Shared, metrics);
        var balancing = new BalancerContext { Clock = clock };
        _services = options.Services.ToDictionary(
            s => s.Key,
            s => new ClientService(
                new(s.Key, s.Value, CallSettings.Of(s.Value.Retry, options.Retry, options.Timeouts)), balancers.Create(s.Value.Balancer, balancing), this),
            StringComparer.OrdinalIgnoreCase); // as hosts are compared
        metrics.Observe(() => _services.Values.Select(s => s.Service.Started).OfType<GroupWatcher>());
        foreach (var service in _services.Values)
        {
            known?.Add(service.Name, () => service.Service.Addresses);
        }
    }

    public HttpTransportOptions Options { get; }

    public Connections Connections { get; }

    public ClientStack<HttpResponseMessage> Layers { get; }

    public TimeProvider Clock { get; }

    public ILogger Logger { get; }

    /// <summary>The service that a URI names: its host alone, without a port. Null for every other URI.</summary>
    public ClientService? Find(Uri? uri)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) != 0, typeof(ServiceMeshHandler));
        return uri is { IsAbsoluteUri: true, IsDefaultPort: true, Scheme: "http" or "https" } ? _services.GetValueOrDefault(uri.Host) : null;
    }

    /// <summary>Makes the watch of a service's addresses.</summary>
    public GroupWatcher Watch(Service service, Action<System.Collections.Immutable.ImmutableArray<Endpoint>> changed) => _lookup.Watch(service, changed);

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

    // Handlers can only be disposed synchronously. The watches end as soon as they are told to.
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();
}
