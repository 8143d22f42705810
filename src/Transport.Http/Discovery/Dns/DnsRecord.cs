using System.Net;

namespace ServiceMesh.Http;

/// <summary>One record of a message. Names have no trailing dot.</summary>
/// <param name="Name">Whom it is about.</param>
/// <param name="TimeToLive">How long it is good.</param>
internal abstract record DnsRecord(string Name, TimeSpan TimeToLive);

/// <summary>A or AAAA.</summary>
internal sealed record AddressRecord(string Name, TimeSpan TimeToLive, IPAddress Address) : DnsRecord(Name, TimeToLive);

/// <summary>CNAME.</summary>
internal sealed record AliasRecord(string Name, TimeSpan TimeToLive, string Target) : DnsRecord(Name, TimeToLive);

/// <summary>SRV.</summary>
internal sealed record ServiceRecord(string Name, TimeSpan TimeToLive, int Priority, int Weight, int Port, string Target)
    : DnsRecord(Name, TimeToLive);

/// <summary>TXT, its strings joined.</summary>
internal sealed record TextRecord(string Name, TimeSpan TimeToLive, string Text) : DnsRecord(Name, TimeToLive);

/// <summary>SOA, of which only one number is of use.</summary>
internal sealed record AuthorityRecord(string Name, TimeSpan TimeToLive, TimeSpan Minimum) : DnsRecord(Name, TimeToLive);
