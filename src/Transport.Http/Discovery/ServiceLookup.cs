using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Makes the watches of services' addresses: for the nodes of a mesh and for HttpClients alike.</summary>
internal sealed class ServiceLookup(ResolverKinds resolvers, IDnsResolver? dns, HttpDnsSettings settings, TimeProvider clock, ILogger logger)
{
    private readonly ResolverContext _context = new()
    {
        Clock = clock,
        Dns = dns ?? new StubResolver(new() { Servers = settings.ReadServers(), Clock = clock }),
        Logger = logger,
    };

    /// <summary>Makes the watch of a service; whoever starts it disposes it.</summary>
    /// <exception cref="FormatException">The address cannot be used.</exception>
    public GroupWatcher Watch(Service service, Action<ImmutableArray<Endpoint>> changed)
    {
        var group = resolvers.Parse(service.Settings.Address);
        return new(service.Name, group, resolvers.Create(group, _context), clock, logger, changed);
    }
}
