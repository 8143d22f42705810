namespace ServiceMesh.Http;

/// <summary>The resolvers that there are, by scheme. Immutable.</summary>
/// <param name="own">The application's own; they go before the built-in ones of the same scheme.</param>
internal sealed class ResolverKinds(IEnumerable<ResolverKind> own)
{
    private static readonly ResolverKind s_static = new("static", (group, _) => StaticResolver.OfList(group));
    private static readonly ResolverKind[] s_builtIn =
    [
        s_static,
        new("http", (group, _) => StaticResolver.OfOne(group)),
        new("https", (group, _) => StaticResolver.OfOne(group)),
        new("dns", (group, context) => new DnsHostResolver(group, context)),
        new("dns+srv", (group, context) => new DnsServiceResolver(group, context)),
        new("dns+txt", (group, context) => new DnsTextResolver(group, context)),
        new("file", (group, context) => new FileResolver(group, context)),
    ];

    private readonly ResolverKind[] _kinds = [.. own, .. s_builtIn];

    public IReadOnlyCollection<string> Schemes => [.. _kinds.Select(k => k.Scheme).Distinct()];

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">The text is none; the message says what is allowed.</exception>
    public AddressGroup Parse(string text)
    {
        var group = AddressGroup.Parse(text, Schemes);
        if (_kinds.First(k => k.Scheme == group.Scheme) == s_static)
        {
            _ = StaticResolver.OfList(group); // all of it stands here, so what is wrong with it is known now
        }

        return group;
    }

    /// <summary>Makes the resolver of a group.</summary>
    /// <exception cref="FormatException">The resolver cannot use the group's target.</exception>
    public IResolver Create(AddressGroup group, ResolverContext context) =>
        _kinds.First(k => k.Scheme == group.Scheme).Create(group, context);
}
