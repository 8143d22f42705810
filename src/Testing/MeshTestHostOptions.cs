using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Testing;

/// <summary>What a <see cref="MeshTestHost"/> is made from. Immutable.</summary>
public sealed record MeshTestHostOptions
{
    /// <summary>What joins the host to others. Default: a network of its own.</summary>
    public InMemoryNetwork? Network { get; init; }

    /// <summary>
    /// The clock of deadlines and timeouts: usually a <c>FakeTimeProvider</c> of Microsoft.Extensions.TimeProvider.Testing, which the
    /// test moves. Default: the system's.
    /// </summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>
    /// Configuration by key, below <c>ServiceMesh</c>: <c>["Request:Timeout"] = "00:00:05"</c>. Default: none.
    /// </summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>The name of the bus, where the code under test asks for a bus with a key. Default: empty, a bus without a name.</summary>
    public string BusName { get; init; } = "";

    /// <summary>Adds what the handlers depend on. Default: nothing.</summary>
    public Action<IServiceCollection>? ConfigureServices { get; init; }
}
