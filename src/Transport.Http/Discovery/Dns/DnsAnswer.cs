using System.Collections.Immutable;
using System.Net;

namespace ServiceMesh.Http;

/// <summary>What the DNS said about a name. Immutable.</summary>
/// <typeparam name="T">The kind of record.</typeparam>
/// <param name="Records">The records, in the order of the answer; empty when there are none.</param>
/// <param name="TimeToLive">
/// How long the answer is good from now on: the shortest of its records, or what the zone says for "there is none".
/// </param>
/// <param name="NameExists">False when there is no such name at all; true when it only has no such records.</param>
public sealed record DnsAnswer<T>(ImmutableArray<T> Records, TimeSpan TimeToLive, bool NameExists = true);

/// <summary>An A or AAAA record.</summary>
/// <param name="Address">The address.</param>
/// <param name="TimeToLive">How long the record is good.</param>
public sealed record DnsAddress(IPAddress Address, TimeSpan TimeToLive);

/// <summary>An SRV record (RFC 2782).</summary>
/// <param name="Target">The host, without a trailing dot; empty when it says that there is no such service.</param>
/// <param name="Port">The port.</param>
/// <param name="Priority">Lower ones are used first.</param>
/// <param name="Weight">The share within a priority; 0 is the least.</param>
/// <param name="TimeToLive">How long the record is good.</param>
/// <param name="Addresses">The target's addresses, when the server sent them along; otherwise empty, and to be asked for.</param>
public sealed record DnsService(
    string Target, int Port, int Priority, int Weight, TimeSpan TimeToLive, ImmutableArray<DnsAddress> Addresses);

/// <summary>A TXT record: its strings joined, read as UTF-8.</summary>
/// <param name="Text">The text.</param>
/// <param name="TimeToLive">How long the record is good.</param>
public sealed record DnsText(string Text, TimeSpan TimeToLive);
