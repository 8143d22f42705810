using System.Collections.Immutable;
using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// Weights of servers as weights of their addresses: the weight belongs to the server (RFC 2782 says it of a target), so a server with
/// three addresses gets no more than one with a single address. Pure.
/// </summary>
internal static class WeightShares
{
    private const int Largest = 65535;

    /// <summary>
    /// Every address as a server of its own, with its share of the weight. Shares within one priority are in proportion, in whole numbers.
    /// </summary>
    /// <param name="servers">Each with its weight and its addresses.</param>
    public static ImmutableArray<ResolvedAddress> Of(IEnumerable<(ResolvedAddress Server, ImmutableArray<IPAddress> Addresses)> servers)
    {
        var found = servers.Where(s => !s.Addresses.IsEmpty).ToArray();
        var factors = found.GroupBy(s => s.Server.Priority).ToDictionary(g => g.Key, g => Factor([.. g]));
        return
        [
            .. found.SelectMany(s => s.Addresses.Select(a => s.Server with
            {
                Host = a.ToString(),
                Weight = s.Server.Weight == 0 ? 0
                    : Math.Clamp((int)Math.Round(s.Server.Weight * factors[s.Server.Priority] / s.Addresses.Length), 1, Largest),
            })),
        ];
    }

    // The least that makes every share a whole number; where that is too large, what makes the largest share the largest weight.
    private static double Factor((ResolvedAddress Server, ImmutableArray<IPAddress> Addresses)[] servers)
    {
        var factor = 1L;
        foreach (var count in servers.Select(s => s.Addresses.Length))
        {
            factor = factor > Largest ? factor : factor / Divisor(factor, count) * count;
        }

        var largest = servers.Max(s => (double)s.Server.Weight / s.Addresses.Length);
        return factor * largest <= Largest ? factor : Largest / largest;
    }

    private static long Divisor(long a, long b) => b == 0 ? a : Divisor(b, a % b);
}
