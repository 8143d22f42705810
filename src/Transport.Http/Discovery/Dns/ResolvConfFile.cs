using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;

namespace ServiceMesh.Http;

/// <summary>The system's resolver configuration, read again when its file changes. Thread-safe.</summary>
/// <param name="path">The file.</param>
/// <param name="servers">The servers to ask in place of those of the file; empty for none.</param>
internal sealed class ResolvConfFile(string path, ImmutableArray<IPEndPoint> servers)
{
    /// <summary>Where the system has it.</summary>
    public const string SystemPath = "/etc/resolv.conf";

    // Two threads may read the file at once: both read the same.
    private Reading? _last;

    /// <summary>The configuration as it is now. When the file cannot be read, as it was.</summary>
    public ResolvConf Read()
    {
        var last = Volatile.Read(ref _last);
        var file = new FileInfo(path);
        var stamp = file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
        if (last is not null && last.Stamp == stamp)
        {
            return last.Conf;
        }

        try
        {
            var conf = WithServers(file.Exists ? ResolvConf.Parse(File.ReadAllText(path)) : last?.Conf ?? OfInterfaces());
            Volatile.Write(ref _last, new(stamp, conf));
            return conf;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return last?.Conf ?? WithServers(new()); // not remembered, so the next look tries again
        }
    }

    private ResolvConf WithServers(ResolvConf conf) => servers.IsEmpty ? conf : conf with { Servers = servers };

    // Systems without the file know their servers by interface.
    private static ResolvConf OfInterfaces()
    {
        ImmutableArray<IPEndPoint> found =
        [
            .. NetworkInterface.GetAllNetworkInterfaces()
                .Where(i => i.OperationalStatus == OperationalStatus.Up)
                .SelectMany(i => i.GetIPProperties().DnsAddresses)
                .Distinct()
                .Take(3)
                .Select(a => new IPEndPoint(a, 53)),
        ];
        return found.IsEmpty ? new() : new() { Servers = found };
    }

    private sealed record Reading((DateTime, long) Stamp, ResolvConf Conf);
}
