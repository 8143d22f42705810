using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary><c>dns://host:port</c>: every A and AAAA record of the host is a server.</summary>
internal sealed class DnsHostResolver(AddressGroup group, ResolverContext context) : DnsWatch(group, context)
{
    protected override async Task<(ImmutableArray<ResolvedAddress>, TimeSpan)> ResolveAsync(CancellationToken cancellationToken)
    {
        var answer = await Context.Dns.ResolveAddressesAsync(Group.Host, cancellationToken).ConfigureAwait(false);
        var name = ResolvedAddress.NameOf(Group.Host);
        return ([.. answer.Records.Select(r => new ResolvedAddress(r.Address.ToString(), Group.Port) { Name = name })], answer.TimeToLive);
    }
}
