namespace ServiceMesh.Http;

/// <summary>A way to choose endpoints: register one as a singleton service to add a balancer of your own.</summary>
/// <param name="Name">The name that configuration uses; case does not matter.</param>
/// <param name="Create">Makes the balancer of one set of endpoints.</param>
public sealed record BalancerKind(string Name, Func<BalancerContext, IBalancer> Create);

/// <summary>What a balancer may use. Immutable.</summary>
public sealed record BalancerContext
{
    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The source of randomness; must be thread-safe. Default: <see cref="System.Random.Shared"/>.</summary>
    public Random Random { get; init; } = Random.Shared;
}
