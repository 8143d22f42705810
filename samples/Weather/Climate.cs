using System.Text;

namespace ServiceMesh.Samples.Weather;

/// <summary>
/// Invents the weather of any city: seasons, days and nights, and some pseudo-random noise. The same city has
/// the same year in every process, so replicas agree and tests can compare.
/// </summary>
public static class Climate
{
    private static readonly (string Name, int Days)[] s_months =
    [
        ("jan", 31), ("feb", 28), ("mar", 31), ("apr", 30), ("may", 31), ("jun", 30),
        ("jul", 31), ("aug", 31), ("sep", 30), ("oct", 31), ("nov", 30), ("dec", 31),
    ];

    public static Reading[] YearOf(string city)
    {
        var seed = Encoding.UTF8.GetBytes(city).Aggregate(2166136261u, (hash, b) => (hash ^ b) * 16777619u);   // FNV-1a
        var yearly = 5 + (seed % 20);
        var readings = new List<Reading>(365 * 24);
        foreach (var (month, days) in s_months)
        {
            for (var day = 1; day <= days; day++)
            {
                for (var hour = 0; hour < 24; hour++)
                {
                    var season = -10 * Math.Cos(2 * Math.PI * ((readings.Count / 24) - 15) / 365);
                    var daytime = -4 * Math.Cos(2 * Math.PI * (hour - 3) / 24);
                    var chance = (Scramble(seed + (uint)readings.Count) % 80 / 10.0) - 4;
                    readings.Add(new(day, month, hour, (int)Math.Round(yearly + season + daytime + chance)));
                }
            }
        }

        return [.. readings];
    }

    // The finalizer of MurmurHash3. Random is not used, because the results of a seed may differ between versions of .NET.
    private static uint Scramble(uint x)
    {
        x = (x ^ (x >> 16)) * 0x85ebca6b;
        x = (x ^ (x >> 13)) * 0xc2b2ae35;
        return x ^ (x >> 16);
    }
}
