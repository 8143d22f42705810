namespace ServiceMesh.Http;

/// <summary>
/// Asks the DNS. Every answer says how long it is good; "there is no such name" is an answer, "nobody could tell" is a
/// <see cref="DnsException"/>. Thread-safe.
/// </summary>
public interface IDnsResolver
{
    /// <summary>Asks for IPv4 and IPv6 addresses side by side; one of the two may fail.</summary>
    /// <param name="name">The name; with a trailing dot it is not searched for in other domains.</param>
    /// <param name="cancellationToken">Ends the wait; a query that others share goes on for them.</param>
    /// <exception cref="DnsException">No server could tell.</exception>
    /// <exception cref="ArgumentException">The text cannot be a name.</exception>
    Task<DnsAnswer<DnsAddress>> ResolveAddressesAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Asks for SRV records.</summary>
    /// <inheritdoc cref="ResolveAddressesAsync"/>
    Task<DnsAnswer<DnsService>> ResolveServicesAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Asks for TXT records; the strings of each are joined.</summary>
    /// <inheritdoc cref="ResolveAddressesAsync"/>
    Task<DnsAnswer<DnsText>> ResolveTextsAsync(string name, CancellationToken cancellationToken = default);
}
