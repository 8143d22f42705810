using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Looks up the hosts of one group. What could not be looked up, be it a host or one address family of it, stays as it was known last.
/// </summary>
internal sealed class HostLookup(IDnsLookup dns, ILogger logger, string source)
{
    private const int AtOnce = 8;

    // A host that failed beside others is asked again then, however long the others hold.
    private static readonly Holds s_failed = Holds.Always with { Absence = TimeSpan.FromSeconds(30) };

    private ConcurrentDictionary<string, ImmutableArray<IPAddress>> _known = NewHosts();

    /// <summary>Looks up each host once.</summary>
    /// <exception cref="DnsLookupException">Not one of the hosts could be looked up.</exception>
    public async Task<FoundHosts> FindAsync(IEnumerable<string> hosts, CancellationToken cancellationToken)
    {
        var (found, before) = (NewHosts(), _known);
        var holds = new ConcurrentBag<Holds>();
        var late = new ConcurrentBag<Task<Holds?>>();
        var failures = new ConcurrentBag<Exception>();
        await Parallel.ForEachAsync(
            hosts.Distinct(found.Comparer),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (host, token) =>
            {
                try
                {
                    // The token of the loop ends with the loop, and what is late comes after it.
                    var answer = await dns.FindAddressesAsync(host, cancellationToken).ConfigureAwait(false);
                    var known = before.GetValueOrDefault(host, []);
                    found[host] = answer.Late is null ? answer.Records : WithOtherFamily(answer.Records, known);
                    holds.Add(Holds.Of(answer));
                    if (answer.Late is { } rest)
                    {
                        late.Add(JoinAsync(found, host, answer.Records, rest));
                    }
                }
                catch (Exception failure) when (failure is DnsLookupException or ArgumentException)
                {
                    failures.Add(failure);
                    if (before.TryGetValue(host, out var known))
                    {
                        found[host] = known;
                    }
                    else
                    {
                        DiscoveryLog.RecordIgnored(logger, source, failure.Message);
                    }
                }
            }).ConfigureAwait(false);
        if (holds.IsEmpty && failures.OfType<DnsLookupException>().FirstOrDefault() is { } failed)
        {
            throw new DnsLookupException(failed.Message, failed);
        }

        _known = found;
        return new(found, holds.Concat(failures.Select(_ => s_failed)).Aggregate(Holds.Always, (a, b) => a.And(b)), [.. late]);
    }

    private static async Task<Holds?> JoinAsync(
        ConcurrentDictionary<string, ImmutableArray<IPAddress>> hosts, string host, ImmutableArray<IPAddress> first,
        Task<DnsAnswer<IPAddress>> late)
    {
        try
        {
            var answer = await late.ConfigureAwait(false);
            hosts[host] = [.. first, .. answer.Records];
            return answer.Records.IsEmpty ? Holds.Always : Holds.Of(answer);
        }
        catch (Exception failure) when (failure is DnsLookupException or OperationCanceledException)
        {
            return null;
        }
    }

    private static ImmutableArray<IPAddress> WithOtherFamily(ImmutableArray<IPAddress> records, ImmutableArray<IPAddress> before) =>
        [.. records, .. before.Where(b => records.All(r => r.AddressFamily != b.AddressFamily))];

    private static ConcurrentDictionary<string, ImmutableArray<IPAddress>> NewHosts() => new(StringComparer.OrdinalIgnoreCase);
}

/// <summary>The addresses of hosts, of which some may still come. Thread-safe.</summary>
/// <param name="hosts">By name.</param>
/// <param name="holds">How long this holds.</param>
/// <param name="late">
/// Each ends when an address family that was late is among the addresses, with how long it holds; null when it failed.
/// </param>
internal sealed class FoundHosts(
    ConcurrentDictionary<string, ImmutableArray<IPAddress>> hosts, Holds holds, ImmutableArray<Task<Holds?>> late)
{
    public Holds Holds => holds;

    public ImmutableArray<Task<Holds?>> Late => late;

    /// <summary>The addresses of a host as they are known now; empty when it has none.</summary>
    public ImmutableArray<IPAddress> AddressesOf(string host) => hosts.GetValueOrDefault(host, []);
}
