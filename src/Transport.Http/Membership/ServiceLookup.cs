using System.Collections.Immutable;
using DnsClient;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Creates the watches of services' addresses, for the bus and for HttpClients alike.</summary>
internal sealed class ServiceLookup(
    GroupOptions group, HttpDnsOptions dnsOptions, ResolverKinds resolvers, ILookupClient? dns, TimeProvider clock, ILogger logger,
    ClientMetrics metrics)
{
    private readonly ResolverContext _context = new()
    {
        Clock = clock,
        Dns = DnsLookup.Make([.. dnsOptions.ReadServers()], dns, clock),
        Logger = logger,
    };

    /// <summary>Creates the watch of a service; the caller that starts it disposes it.</summary>
    /// <exception cref="FormatException">The address of the service is not valid.</exception>
    public GroupWatcher Watch(Service service, Action<ImmutableArray<Endpoint>> changed)
    {
        var addresses = resolvers.Parse(service.Settings.Address);
        var watcher = new GroupWatcher(service.Name, addresses, resolvers.Create(addresses, _context), clock, logger, changed, group);
        watcher.Ejection.Changed += (_, change) => Report(service.Name, change);
        watcher.Ejection.CircuitChanged += (endpoint, change) => Report(service.Name, (Endpoint)endpoint!, change);
        return watcher;
    }

    private void Report(string service, EjectionChange change)
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

    private void Report(string service, Endpoint endpoint, CircuitChange change)
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
