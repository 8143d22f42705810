using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>The network of one bus's in-memory transport, to which several modules may add.</summary>
internal sealed class InMemoryConnection
{
    /// <summary>Null for a network of its own.</summary>
    public InMemoryNetwork? Network { get; private set; }

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

        if (network is not null && known.Network is not null && network != known.Network)
        {
            throw new InvalidOperationException(
                "The in-memory transport was added twice to one bus, with different networks. Give all calls the same network.");
        }

        known.Network ??= network;
        return known;
    }
}
