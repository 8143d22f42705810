using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Looks up the hosts that records name. When one of several cannot be looked up, what was last known of it stays.
/// </summary>
internal sealed class TargetLookup(IDnsResolver dns, ILogger logger, string source)
{
    private const int AtOnce = 8;

    private ImmutableDictionary<string, ImmutableArray<DnsAddress>> _known = ImmutableDictionary<string, ImmutableArray<DnsAddress>>.Empty;

    /// <summary>The addresses of each host; a host without any is left out.</summary>
    /// <exception cref="DnsException">Not one of the hosts could be looked up.</exception>
    public async Task<ImmutableDictionary<string, ImmutableArray<DnsAddress>>> FindAsync(IEnumerable<string> hosts, CancellationToken cancellationToken)
    {
        var found = new ConcurrentDictionary<string, ImmutableArray<DnsAddress>>(StringComparer.OrdinalIgnoreCase);
        DnsException? failed = null;
        await Parallel.ForEachAsync(
            hosts.Distinct(StringComparer.OrdinalIgnoreCase),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (host, token) =>
            {
                try
                {
                    // A host in a record is a whole name: it is not searched for.
                    found[host] = (await dns.ResolveAddressesAsync(Whole(host), token).ConfigureAwait(false)).Records;
                }
                catch (Exception failure) when (failure is DnsException or ArgumentException)
                {
                    failed = failure as DnsException ?? failed;
                    if (_known.TryGetValue(host, out var before))
                    {
                        found[host] = before;
                    }
                    else
                    {
                        DiscoveryLog.RecordIgnored(logger, source, failure.Message);
                    }
                }
            }).ConfigureAwait(false);
        if (found.IsEmpty && failed is not null)
        {
            throw new DnsException(failed.Message, failed);
        }

        return _known = found.ToImmutableDictionary(StringComparer.OrdinalIgnoreCase);
    }

    private static string Whole(string host) =>
        host.EndsWith('.') || System.Net.IPAddress.TryParse(host, out _) ? host : host + ".";
}
