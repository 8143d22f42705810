using DnsClient;

namespace ServiceMesh.Http;

/// <summary>Asks one question of DNS servers: our own order of servers, or the application's client. Thread-safe.</summary>
internal interface IDnsClient
{
    /// <summary>Asks until a server answers.</summary>
    /// <exception cref="DnsLookupException">No server answered; the message says what each did.</exception>
    Task<DnsReply> AskAsync(DnsQuestion question, ResolvConf conf, CancellationToken cancellationToken);
}
