using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>dns+srv://_service._tcp.domain</c>: servers with ports, priorities and weights from SRV records (RFC 2782). Addresses
/// that the answer does not bring along are looked up.
/// </summary>
internal sealed class DnsServiceResolver(AddressGroup group, ResolverContext context) : DnsWatch(group, context)
{
    private readonly TargetLookup _targets = new(context.Dns, context.Logger, group.Text);

    protected override async Task<(ImmutableArray<ResolvedAddress>, TimeSpan)> ResolveAsync(CancellationToken cancellationToken)
    {
        var answer = await Context.Dns.ResolveServicesAsync(Group.Host, cancellationToken).ConfigureAwait(false);

        // A target "." says that there is decidedly no such service; port 0 cannot be connected to.
        var services = answer.Records.Where(r => r.Target.Length > 0 && r.Port > 0).Where(CanBeCalled).ToArray();
        var found = await _targets.FindAsync(services.Where(s => s.Addresses.IsEmpty).Select(s => s.Target), cancellationToken).ConfigureAwait(false);
        var addresses = ImmutableArray.CreateBuilder<ResolvedAddress>();
        var timeToLive = answer.TimeToLive;
        foreach (var service in services)
        {
            foreach (var address in service.Addresses.IsEmpty ? found.GetValueOrDefault(service.Target, []) : service.Addresses)
            {
                timeToLive = address.TimeToLive < timeToLive ? address.TimeToLive : timeToLive;
                addresses.Add(new(address.Address.ToString(), service.Port)
                {
                    Name = service.Target,
                    Priority = service.Priority,
                    Weight = WeightOf(service),
                });
            }
        }

        return (addresses.ToImmutable(), timeToLive);
    }

    // Names in the DNS may have any byte in them; those of hosts may not.
    private bool CanBeCalled(DnsService service)
    {
        var isHost = ResolvedAddress.IsHost(service.Target);
        if (!isHost)
        {
            DiscoveryLog.RecordIgnored(Context.Logger, Group.Text, $"Its target '{service.Target}' is no host name.");
        }

        return isHost;
    }

    // RFC 2782 draws from [0, sum] and takes the first running sum that reaches it, zero weights first: one zero has a chance of
    // 1 in sum + 1, as a weight of 1 among the others has.
    private static int WeightOf(DnsService service) => Math.Max(1, service.Weight);
}
