using System.Collections.Immutable;
using System.Net;

namespace ServiceMesh.Http;

/// <summary>What the DNS says about a name. Immutable.</summary>
/// <param name="Records">The records, in the order of the answer; empty when there are none.</param>
/// <param name="TimeToLive">How long this holds: the shortest time of its records, or what the zone says for "there is none".</param>
internal sealed record DnsAnswer<T>(ImmutableArray<T> Records, TimeSpan TimeToLive)
{
    /// <summary>
    /// The records of the other address family, when it had not answered soon enough; null when both have. The task fails with a
    /// <see cref="DnsLookupException"/> when that family could not be looked up, and ends when the lookup's token fires.
    /// </summary>
    public Task<DnsAnswer<T>>? Late { get; init; }
}

/// <summary>An SRV record (RFC 2782).</summary>
/// <param name="Target">The host, without a trailing dot; empty when the record says that the service does not exist.</param>
/// <param name="Port">The port.</param>
/// <param name="Priority">Lower ones are used first.</param>
/// <param name="Weight">The target's share within its priority; 0 is the least.</param>
/// <param name="Addresses">The target's addresses, when the server sent them along; otherwise empty.</param>
internal sealed record DnsService(string Target, int Port, int Priority, int Weight, ImmutableArray<IPAddress> Addresses);
