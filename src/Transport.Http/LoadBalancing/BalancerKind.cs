using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>A way to choose endpoints, by name.</summary>
/// <param name="Name">The name in the configuration; case does not matter.</param>
/// <param name="Create">Creates the balancer of one set of endpoints with one priority.</param>
internal sealed record BalancerKind(string Name, Func<BalancerContext, IBalancer> Create)
{
    /// <summary>The balancer of a service without a configured one.</summary>
    public const string Usual = "PowerOfTwoChoices";

    /// <summary>The built-in balancers.</summary>
    public static ImmutableArray<BalancerKind> BuiltIn { get; } =
    [
        new(Usual, context => new PowerOfTwoChoices(context)),
        new("RoundRobin", context => new RoundRobin(context)),
        new("WeightedRoundRobin", context => new WeightedRoundRobin(context)),
        new("Random", context => new RandomChoice(context)),
        new("WeightedRandom", context => new WeightedRandom(context)),
        new("ConsistentHash", context => new ConsistentHash(context)),
        new("LeastConnections", context => new LeastConnections(context)),
        new("LeastTraffic", context => new LeastTraffic(context)),
        new("LeastLatency", context => new LeastLatency(context)),
        new("RecentlyUsed", context => new RecentlyUsed(context)),
    ];
}

/// <summary>The clock and the source of randomness of a balancer. Immutable.</summary>
public sealed record BalancerContext
{
    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The source of randomness; must be thread-safe. Default: <see cref="System.Random.Shared"/>.</summary>
    public Random Random { get; init; } = Random.Shared;
}
