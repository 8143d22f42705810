using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The rules that several settings share. Each yields the complaint, or nothing.</summary>
internal static class SettingRules
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);

    public static IEnumerable<string> Share(string key, double value)
    {
        if (!(value is >= 0 and <= 1))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; it is a share: 0 to 1 are allowed.");
        }
    }

    public static IEnumerable<string> AtLeast(string key, int value, int least)
    {
        if (value < least)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; at least {least} is allowed.");
        }
    }

    public static IEnumerable<string> Time(string key, TimeSpan value, TimeSpan most, TimeSpan? least = null)
    {
        if (value < (least ?? s_shortest) || value > most)
        {
            yield return $"{key} is {value}; allowed are {least ?? s_shortest} to {most}.";
        }
    }

    /// <summary>One time that lies within another. What is out of its own range has been complained about already.</summary>
    public static IEnumerable<string> NotLonger(string key, TimeSpan value, string otherKey, TimeSpan other)
    {
        if (value > other && other >= s_shortest)
        {
            yield return $"{key} is {value}, and {otherKey} is {other}; the first must not be longer.";
        }
    }
}
