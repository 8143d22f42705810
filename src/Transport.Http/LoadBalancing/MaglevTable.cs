using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// The lookup table of Maglev: endpoints take turns in filling it, each in its own order of places. Each endpoint receives its share, and
/// a change of one endpoint moves few places of the others. Immutable.
/// </summary>
internal sealed class MaglevTable
{
    // At least a hundred places for each endpoint keep the shares within about 1 % (the paper's section 5.3).
    private const int PlacesPerEndpoint = 100;
    private static readonly int[] s_primes = [1009, 2039, 4093, 8191, 16381, 32749, 65521, 131071, 262139, 524287, 1048573];

    private readonly Endpoint[] _places;

    public MaglevTable(ImmutableArray<Endpoint> endpoints)
    {
        // Every client must fill the table in the same order, in whatever order its resolver returned the addresses.
        Endpoints = [.. endpoints.OrderBy(e => e.ToString(), StringComparer.Ordinal)];
        var size = s_primes.FirstOrDefault(p => p >= PlacesPerEndpoint * Endpoints.Length, s_primes[^1]);
        _places = new Endpoint[size];
        Fill(Endpoints.Max(WeightOf));
    }

    public Endpoint[] Endpoints { get; }

    public Endpoint At(ulong hash) => _places[hash % (uint)_places.Length];

    // A drained endpoint, with weight 0, has places too and is not chosen. So few places of the others move when it returns.
    private static int WeightOf(Endpoint endpoint) => Math.Max(1, endpoint.Address.Weight);

    private void Fill(double heaviest)
    {
        var size = (uint)_places.Length;
        var next = new ulong[Endpoints.Length];
        var skip = new ulong[Endpoints.Length];
        var turns = new double[Endpoints.Length];
        for (var i = 0; i < Endpoints.Length; i++)
        {
            var name = Endpoints[i].ToString();
            next[i] = StableHash.Of(name) % size;
            skip[i] = (StableHash.Of(name, seed: 1) % (size - 1)) + 1;
        }

        for (var filled = 0; ;)
        {
            for (var i = 0; i < Endpoints.Length; i++)
            {
                // The heaviest endpoint takes a place in every round, an endpoint of half its weight in every second round.
                turns[i] += WeightOf(Endpoints[i]) / heaviest;
                if (turns[i] < 1)
                {
                    continue;
                }

                turns[i]--;
                while (_places[next[i]] is not null)
                {
                    next[i] = (next[i] + skip[i]) % size;
                }

                _places[next[i]] = Endpoints[i];
                if (++filled == _places.Length)
                {
                    return;
                }
            }
        }
    }
}
