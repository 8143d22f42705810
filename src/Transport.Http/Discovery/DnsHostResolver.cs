namespace ServiceMesh.Http;

/// <summary><c>dns://host:port</c>: every A and AAAA record of the host is a server.</summary>
internal sealed class DnsHostResolver(AddressGroup group, ResolverContext context) : DnsWatch(group, context)
{
    protected override async Task<Resolution> ResolveAsync(CancellationToken cancellationToken)
    {
        var found = await Hosts.FindAsync([Group.Host], hasOthers: false, cancellationToken).ConfigureAwait(false);
        var name = ResolvedAddress.NameOf(Group.Host);
        return new(
            () => [.. found.AddressesOf(Group.Host).Select(a => new ResolvedAddress(a.ToString(), Group.Port) { Name = name })],
            found.Holds,
            found.Late);
    }
}
