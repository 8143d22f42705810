namespace ServiceMesh.Http;

/// <summary>
/// <c>dns+srv://_service._tcp.domain</c>: servers with ports, priorities and weights from SRV records (RFC 2782). Addresses
/// that the answer does not bring along are looked up.
/// </summary>
internal sealed class DnsServiceResolver(AddressGroup group, ResolverContext context) : DnsWatch(group, context)
{
    protected override async Task<Resolution> ResolveAsync(CancellationToken cancellationToken)
    {
        var answer = await Context.Dns.FindServicesAsync(Group.Host, cancellationToken).ConfigureAwait(false);

        // A target "." says that there is decidedly no such service; port 0 cannot be connected to.
        var callable = answer.Records.Where(r => r.Target.Length > 0 && r.Port > 0).Where(CanBeCalled);
        var services = Bounded(callable, s => s.Priority, HostOf);
        var (unknown, hasOthers) = (services.Where(s => s.Addresses.IsEmpty).Select(HostOf), services.Any(s => !s.Addresses.IsEmpty));
        var found = await Hosts.FindAsync(unknown, hasOthers, cancellationToken).ConfigureAwait(false);
        return new(
            () => WeightShares.Of(services.Select(s => (ServerOf(s), s.Addresses.IsEmpty ? found.AddressesOf(HostOf(s)) : s.Addresses))),
            Holds.Of(answer).And(found.Holds),
            found.Late);
    }

    // Names in the DNS may have any byte in them; those of hosts may not.
    private bool CanBeCalled(DnsService service)
    {
        var isHost = ResolvedAddress.IsHost(service.Target);
        if (!isHost)
        {
            LeftOut.Add($"Its target '{service.Target}' is not a host name.");
        }

        return isHost;
    }

    // A target is a whole name: it is not searched for.
    private static string HostOf(DnsService service) => $"{service.Target}.";

    // RFC 2782 draws from [0, sum] and takes the first running sum that reaches it, zero weights first: one zero has a chance of
    // 1 in sum + 1, as a weight of 1 among the others has.
    private static ResolvedAddress ServerOf(DnsService service) =>
        new(service.Target, service.Port) { Name = service.Target, Priority = service.Priority, Weight = Math.Max(1, service.Weight) };
}
