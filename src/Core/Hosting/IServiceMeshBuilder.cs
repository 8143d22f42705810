using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>Puts one bus together: transports, handlers, middleware, serializers.</summary>
public interface IServiceMeshBuilder
{
    /// <summary>Where everything is registered.</summary>
    IServiceCollection Services { get; }

    /// <summary>The key of this bus in the container; empty for the one that is injected without a key.</summary>
    string Name { get; }

    /// <summary>The section that this bus was given; a transport reads its own part of it. Null when there is none.</summary>
    IConfiguration? Configuration { get; }
}

/// <summary>
/// The section that a bus was given, as a keyed service by the bus's name: for code beside its transports that reads a part of it.
/// </summary>
/// <param name="Section">Null when the bus has none.</param>
public sealed record BusSection(IConfiguration? Section);

/// <summary>
/// A part of a bus's section that something beside its transports reads; registered as a keyed service by the bus's name,
/// so that its keys are known there.
/// </summary>
/// <param name="Name">The name of the part.</param>
/// <param name="Keys">The keys in it, as <see cref="OptionsSchema.Keys"/> has them.</param>
public sealed record SectionKeys(string Name, IReadOnlyList<string> Keys);

/// <summary>One transport that the configuration may choose. For transport writers.</summary>
/// <param name="Name">The value of <c>ServiceMesh:Transport</c> that chooses it, and the name of its own section.</param>
/// <param name="Keys">The keys of that section, as <see cref="OptionsSchema.Keys"/> has them; empty for none.</param>
/// <param name="Create">Makes it; called once, when the bus is made, and only if it is chosen.</param>
public sealed record TransportRegistration(string Name, IReadOnlyList<string> Keys, Func<IServiceProvider, ITransport> Create);
