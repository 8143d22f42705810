using System.Collections.Immutable;
using DnsClient;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Makes the watches of services' addresses: for the nodes of a mesh and for HttpClients alike.</summary>
internal sealed class ServiceLookup(HttpTransportOptions options, ResolverKinds resolvers, ILookupClient? dns, TimeProvider clock, ILogger logger, ClientMetrics metrics)
{
    private readonly GroupOptions _group = new(options.CircuitBreaker, options.Ejection, options.Limits.MaxPerEndpoint);
    private readonly ResolverContext _context = new()
    {
        Clock = clock,
        Dns = DnsLookup.Make([.. options.Dns.ReadServers()], dns, clock),
        Logger = logger,
    };

    /// <summary>Makes the watch of a service; the caller that starts it disposes it.</summary>
    /// <exception cref="FormatException">The address cannot be used.</exception>
    public GroupWatcher Watch(Service service, Action<ImmutableArray<Endpoint>> changed)
    {
        var group = resolvers.Parse(service.Settings.Address);
        var watcher = new GroupWatcher(service.Name, group, resolvers.Create(group, _context), clock, logger, changed, _group);
        watcher.Ejection.Changed += (_, change) => Tell(service.Name, change);
        watcher.Ejection.CircuitChanged += (endpoint, change) => Tell(service.Name, (Endpoint)endpoint!, change);
        return watcher;
    }

    private void Tell(string service, EjectionChange change)
    {
        if (change.IsEjected)
        {
            metrics.Ejected(service, change.Endpoint, change.Cause);
            MembershipLog.EndpointIsEjected(logger, change.Endpoint, service, change.Cause, change.Time.TotalSeconds);
        }
        else
        {
            MembershipLog.EndpointHasReturned(logger, change.Endpoint, service, change.Cause);
        }
    }

    private void Tell(string service, Endpoint endpoint, CircuitChange change)
    {
        metrics.CircuitChanged(service, endpoint, change);
        if (change.To == CircuitState.Open)
        {
            MembershipLog.CircuitIsOpen(logger, endpoint, service, endpoint.Breaker.Refusal().Message);
        }
        else if (change.To == CircuitState.Closed)
        {
            MembershipLog.CircuitIsClosed(logger, endpoint, service, change.Cause);
        }
    }
}
