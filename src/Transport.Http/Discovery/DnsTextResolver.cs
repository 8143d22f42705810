using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// <c>dns+txt://host</c>: each TXT record names servers, <c>10.0.0.1:5080;weight=2</c>, several with commas between. What is
/// no such text is left out, because a name may have TXT records for other things.
/// </summary>
internal sealed class DnsTextResolver(AddressGroup group, ResolverContext context) : DnsWatch(group, context)
{
    private readonly TargetLookup _targets = new(context.Dns, context.Logger, group.Text);

    protected override async Task<(ImmutableArray<ResolvedAddress>, TimeSpan)> ResolveAsync(CancellationToken cancellationToken)
    {
        var answer = await Context.Dns.ResolveTextsAsync(Group.Host, cancellationToken).ConfigureAwait(false);
        var listed = answer.Records.SelectMany(Read).ToArray();
        if (listed.Length == 0 && !answer.Records.IsEmpty)
        {
            throw new FormatException($"None of its {answer.Records.Length} TXT records is written as host:port;weight=1.");
        }

        var found = await _targets.FindAsync(listed.Select(a => a.Host), cancellationToken).ConfigureAwait(false);
        var timeToLive = answer.TimeToLive;
        var addresses = ImmutableArray.CreateBuilder<ResolvedAddress>();
        foreach (var server in listed)
        {
            foreach (var address in found.GetValueOrDefault(server.Host, []))
            {
                timeToLive = address.TimeToLive < timeToLive ? address.TimeToLive : timeToLive;
                addresses.Add(server with { Host = address.Address.ToString(), Name = server.Name ?? ResolvedAddress.NameOf(server.Host) });
            }
        }

        return (addresses.ToImmutable(), timeToLive);
    }

    private List<ResolvedAddress> Read(DnsText record)
    {
        var addresses = new List<ResolvedAddress>();
        foreach (var part in record.Text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                // Whoever can forge a record must not turn TLS off: without a word of it the service's own setting counts.
                var address = AddressText.Parse(part, Group.Port);
                addresses.Add(address with { Tls = address.Tls is true ? true : null });
            }
            catch (FormatException failure)
            {
                DiscoveryLog.RecordIgnored(Context.Logger, Group.Text, failure.Message);
            }
        }

        return addresses;
    }
}
