namespace ServiceMesh.Http;

/// <summary>The known balancers, by name. Immutable.</summary>
/// <param name="own">The balancers of the application, which replace built-in ones of the same name.</param>
internal sealed class BalancerKinds(IEnumerable<BalancerKind> own)
{
    private readonly BalancerKind[] _kinds = [.. own, .. BalancerKind.BuiltIn];

    public IReadOnlyCollection<string> Names => [.. _kinds.Select(k => k.Name).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>Creates the balancer of a service: one for each priority.</summary>
    /// <param name="name">The name in the configuration.</param>
    /// <param name="context">Clock and randomness for the balancer.</param>
    /// <exception cref="ArgumentException">The name is unknown; the message lists the known ones.</exception>
    public IBalancer Create(string name, BalancerContext context)
    {
        var kind = Find(name) ?? throw new ArgumentException(
            $"The balancer '{name}' is unknown. Known balancers are {string.Join(", ", Names)}.",
            nameof(name));
        return new PriorityBalancer(() => kind.Create(context));
    }

    public BalancerKind? Find(string name) => _kinds.FirstOrDefault(k => k.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
