using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// All that discovery asks of the DNS: three lookups, each with how long its answer holds. It keeps no answers: the watch that
/// asks decides when to ask again. Thread-safe.
/// </summary>
internal interface IDnsLookup
{
    /// <summary>The A and AAAA records of a host.</summary>
    /// <param name="name">
    /// A name, which is looked for in the search domains unless it ends with a dot; or an IP address, which is its own answer.
    /// </param>
    /// <param name="cancellationToken">Ends the lookup, and what of the answer is still to come.</param>
    /// <returns>The answer; empty when the host does not exist.</returns>
    /// <exception cref="DnsLookupException">No server answered.</exception>
    /// <exception cref="ArgumentException">The name is not a DNS name.</exception>
    Task<DnsAnswer<IPAddress>> FindAddressesAsync(string name, CancellationToken cancellationToken);

    /// <summary>The SRV records of a name.</summary>
    /// <inheritdoc cref="FindAddressesAsync"/>
    Task<DnsAnswer<DnsService>> FindServicesAsync(string name, CancellationToken cancellationToken);

    /// <summary>The TXT records of a name, the strings of each joined.</summary>
    /// <inheritdoc cref="FindAddressesAsync"/>
    Task<DnsAnswer<string>> FindTextsAsync(string name, CancellationToken cancellationToken);
}
