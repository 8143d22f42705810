using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// One server as lists and TXT records write it: <c>10.0.0.1:5080;weight=2;priority=1;name=weather.internal;tls=true</c>.
/// What follows the port may be left out.
/// </summary>
internal static class AddressText
{
    /// <summary>Reads one.</summary>
    /// <param name="text">The text.</param>
    /// <param name="defaultPort">The port when none is written; 0 when one must be.</param>
    /// <exception cref="FormatException">The text is none; the message says why.</exception>
    public static ResolvedAddress Parse(string text, int defaultPort = 0)
    {
        var parts = text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var (error, host, port) = AddressGroup.ReadHost(parts.Length == 0 ? "" : parts[0], defaultPort == 0 ? null : defaultPort);
        if (error is not null)
        {
            throw new FormatException($"{error}.");
        }

        var address = new ResolvedAddress(host, port);
        foreach (var part in parts.AsSpan(1))
        {
            address = With(address, part);
        }

        return address;
    }

    private static ResolvedAddress With(ResolvedAddress address, string part)
    {
        var equals = part.IndexOf('=', StringComparison.Ordinal);
        var value = equals < 0 ? "" : part[(equals + 1)..].Trim();
        return (equals < 0 ? part : part[..equals].TrimEnd()).ToLowerInvariant() switch
        {
            "weight" => address with { Weight = Number(part, value, 0) },
            "priority" => address with { Priority = Number(part, value, 0) },
            "path" when value.Length > 0 && ResolvedAddress.IsPath(value) => address with { Path = value },
            "name" when ResolvedAddress.IsHost(value) => address with { Name = value },
            "tls" when bool.TryParse(value, out var tls) => address with { Tls = tls },
            _ => throw new FormatException(
                $"'{part}' is nothing that an address can say; it can say weight=1, priority=0, name=host, tls=true, path=/api."),
        };
    }

    private static int Number(string part, string value, int least) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= 65535
            ? number
            : throw new FormatException($"'{part}' must be a number from {least} to 65535.");
}
