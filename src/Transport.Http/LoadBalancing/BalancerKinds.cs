namespace ServiceMesh.Http;

/// <summary>The balancers that there are, by name. Immutable.</summary>
/// <param name="own">The application's own; they go before the built-in ones of the same name.</param>
internal sealed class BalancerKinds(IEnumerable<BalancerKind> own)
{
    private readonly BalancerKind[] _kinds = [.. own, .. BalancerKind.BuiltIn];

    public IReadOnlyCollection<string> Names => [.. _kinds.Select(k => k.Name).Distinct(StringComparer.OrdinalIgnoreCase)];

    /// <summary>Makes the balancer of a service: one for each priority.</summary>
    /// <param name="name">The name from configuration.</param>
    /// <param name="context">What the balancer may use.</param>
    /// <exception cref="ArgumentException">There is no such balancer; the message lists those that there are.</exception>
    public IBalancer Create(string name, BalancerContext context)
    {
        var kind = Find(name) ?? throw new ArgumentException(
            $"There is no balancer '{name}'. There are {string.Join(", ", Names)}.",
            nameof(name));
        return new PriorityBalancer(() => kind.Create(context));
    }

    public BalancerKind? Find(string name) => _kinds.FirstOrDefault(k => k.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
