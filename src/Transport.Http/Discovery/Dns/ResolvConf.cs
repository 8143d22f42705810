using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace ServiceMesh.Http;

/// <summary>Which servers are asked and how: what resolv.conf(5) says. Pure. Immutable.</summary>
internal sealed record ResolvConf
{
    private const int DnsPort = 53;
    private const int MaxServers = 3;

    /// <summary>The servers in their order; the local host when there is none.</summary>
    public ImmutableArray<IPEndPoint> Servers { get; init; } = [new(IPAddress.Loopback, DnsPort)];

    /// <summary>The domains that a short name is looked for in.</summary>
    public ImmutableArray<string> Search { get; init; } = [];

    /// <summary>A name with at least this many dots is tried as it is before it is searched for. 0 to 15.</summary>
    public int Dots { get; init; } = 1;

    /// <summary>
    /// How long one server is waited for. 1 to 30 seconds. The C library waits for 5; here requests wait for the first answer.
    /// </summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often all servers are gone through. 1 to 5.</summary>
    public int Attempts { get; init; } = 2;

    /// <summary>Whether each query begins with another server.</summary>
    public bool Rotate { get; init; }

    /// <summary>Whether only IPv4 addresses are asked for.</summary>
    public bool NoAaaa { get; init; }

    /// <summary>Reads the text of a file. What cannot be read is skipped, as the C library does it.</summary>
    public static ResolvConf Parse(string text)
    {
        var conf = new ResolvConf();
        var servers = ImmutableArray.CreateBuilder<IPEndPoint>();
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            var words = line.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2 || words[0][0] is '#' or ';')
            {
                continue;
            }

            switch (words[0])
            {
                case "nameserver" when servers.Count < MaxServers && IPAddress.TryParse(words[1], out var address):
                    servers.Add(new(address, DnsPort));
                    break;
                case "search" or "domain":
                    // The last line wins, whichever of the two it is.
                    conf = conf with { Search = [.. words[1..].Select(w => w.Trim('.')).Where(w => w.Length > 0)] };
                    break;
                case "options":
                    conf = words[1..].Aggregate(conf, WithOption);
                    break;
            }
        }

        return servers.Count == 0 ? conf : conf with { Servers = servers.ToImmutable() };
    }

    /// <summary>The names to ask for, in their order: a trailing dot means no search.</summary>
    public IEnumerable<string> Candidates(string name)
    {
        if (name.EndsWith('.'))
        {
            return [name];
        }

        var searched = Search.Select(domain => $"{name}.{domain}");
        return name.Count(c => c == '.') >= Dots ? searched.Prepend(name) : searched.Append(name);
    }

    private static ResolvConf WithOption(ResolvConf conf, string option)
    {
        var colon = option.IndexOf(':', StringComparison.Ordinal);
        var value = option.AsSpan(colon + 1);
        var number = colon > 0 && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var read) ? read : -1;
        return (colon < 0 ? option : option[..colon], number) switch
        {
            ("rotate", _) => conf with { Rotate = true },
            ("no-aaaa", _) => conf with { NoAaaa = true },
            ("ndots", >= 0) => conf with { Dots = Math.Min(number, 15) },
            ("timeout", > 0) => conf with { Timeout = TimeSpan.FromSeconds(Math.Min(number, 30)) },
            ("attempts", > 0) => conf with { Attempts = Math.Min(number, 5) },
            _ => conf,
        };
    }
}
