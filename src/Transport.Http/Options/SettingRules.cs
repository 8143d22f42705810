using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>The rules that several settings share. Each yields the complaint, or nothing.</summary>
internal static class SettingRules
{
    public static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan Day = TimeSpan.FromDays(1);

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

    /// <param name="key">The key.</param>
    /// <param name="value">What it is set to.</param>
    /// <param name="least">Allowed.</param>
    /// <param name="most">Allowed.</param>
    /// <param name="mostKey">The key that says what is the most; null when the rule does.</param>
    public static IEnumerable<string> Number(string key, double value, double least, double most, string? mostKey = null)
    {
        if (!(value >= least && value <= most))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; allowed are {least} to {most}{(mostKey is null ? "" : $" ({mostKey})")}.");
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
    public static IEnumerable<string> NotLonger(string key, TimeSpan value, string otherKey, TimeSpan other, TimeSpan? least = null)
    {
        if (value > other && other >= (least ?? s_shortest))
        {
            yield return $"{key} is {value}, and {otherKey} is {other}; the first must not be longer.";
        }
    }
}
