using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// <c>dns+txt://host</c>: each TXT record names servers, <c>10.0.0.1:5080;weight=2</c>, several with commas between. Other texts
/// are left out, because a name may have TXT records for other things.
/// </summary>
internal sealed class DnsTextResolver(AddressGroup group, ResolverContext context) : DnsWatch(group, context)
{
    private const int MaxServerCharacters = 1024;

    protected override async Task<Resolution> ResolveAsync(CancellationToken cancellationToken)
    {
        var answer = await Context.Dns.FindTextsAsync(Group.Host, cancellationToken).ConfigureAwait(false);
        var listed = Bounded(answer.Records.SelectMany(Read), s => s.Priority, HostOf);
        if (listed.Length == 0 && !answer.Records.IsEmpty)
        {
            throw new FormatException($"None of its {answer.Records.Length} TXT records is written as host:port;weight=1.");
        }

        var found = await Hosts.FindAsync(listed.Select(HostOf), hasOthers: false, cancellationToken).ConfigureAwait(false);
        return new(
            () => WeightShares.Of(listed.Select(s => (ServerOf(s), found.AddressesOf(HostOf(s))))),
            Holds.Of(answer).And(found.Holds),
            found.Late);
    }

    private List<ResolvedAddress> Read(string record)
    {
        var addresses = new List<ResolvedAddress>();
        foreach (var part in record.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                // A forged record must not turn TLS off: without a word of it the service's own setting counts.
                var address = AddressText.Parse(Clean(part), Group.Port);
                addresses.Add(address with { Tls = address.Tls is true ? true : null });
            }
            catch (FormatException failure)
            {
                LeftOut.Add(failure.Message);
            }
        }

        return addresses;
    }

    // The text stands in log messages.
    private static string Clean(string part) =>
        part.Length > MaxServerCharacters ? throw new FormatException($"A text of {part.Length} characters is too long for a server.")
        : part.Any(char.IsControl) ? throw new FormatException("A text has control characters.")
        : part;

    private static ResolvedAddress ServerOf(ResolvedAddress listed) =>
        listed with { Name = listed.Name ?? ResolvedAddress.NameOf(listed.Host) };

    // A host in a record is a whole name: it is not searched for.
    private static string HostOf(ResolvedAddress server) =>
        server.Host.EndsWith('.') || IPAddress.TryParse(server.Host, out _) ? server.Host : $"{server.Host}.";
}
