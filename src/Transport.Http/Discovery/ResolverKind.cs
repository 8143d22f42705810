using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>A way to find addresses, by scheme.</summary>
/// <param name="Scheme">The scheme of its addresses, in lower case: <c>etcd</c>.</param>
/// <param name="Create">Makes the resolver of one group; a target that it cannot use is a <see cref="FormatException"/>.</param>
internal sealed record ResolverKind(string Scheme, Func<AddressGroup, ResolverContext, IResolver> Create);

/// <summary>What a resolver may use. Immutable.</summary>
public sealed record ResolverContext
{
    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The source of randomness; must be thread-safe. Default: <see cref="System.Random.Shared"/>.</summary>
    public Random Random { get; init; } = Random.Shared;

    /// <summary>The folder that relative paths begin at. Default: the current one.</summary>
    public string ContentRoot { get; init; } = "";

    /// <summary>Where it logs.</summary>
    public required ILogger Logger { get; init; }

    /// <summary>Asks the DNS; for the built-in resolvers.</summary>
    internal IDnsLookup Dns { get; init; } = null!;
}
