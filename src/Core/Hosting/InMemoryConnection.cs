using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>The network of one bus's in-memory transport, to which several modules may add.</summary>
internal sealed class InMemoryConnection
{
    private InMemoryNetwork? _network;

    /// <summary>That of a bus, with the network that one more call gives.</summary>
    /// <exception cref="InvalidOperationException">An earlier call gave another network.</exception>
    public static InMemoryConnection Of(IServiceMeshBuilder builder, InMemoryNetwork? network)
    {
        var known = builder.Services
            .Where(d => d.IsKeyedService && d.ServiceType == typeof(InMemoryConnection) && builder.Name.Equals(d.ServiceKey))
            .Select(d => (InMemoryConnection)d.KeyedImplementationInstance!)
            .FirstOrDefault();
        if (known is null)
        {
            known = new();
            builder.Services.AddKeyedSingleton(builder.Name, known);
        }

        if (network is not null && known._network is not null && network != known._network)
        {
            throw new InvalidOperationException(
                "The in-memory transport was added twice to one bus, with different networks. Give all calls the same network.");
        }

        known._network ??= network;
        return known;
    }

    /// <summary>The network that a call gave; else the one of the container; else one of the bus's own.</summary>
    public InMemoryNetwork NetworkOf(IServiceProvider provider, string bus) =>
        _network
        ?? (bus.Length == 0 ? provider.GetService<InMemoryNetwork>() : provider.GetKeyedService<InMemoryNetwork>(bus))
        ?? new();

    /// <summary>Takes another network, whatever the calls gave: a test joins an application to its own.</summary>
    public void Join(InMemoryNetwork network) => _network = network;
}
