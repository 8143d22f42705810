using System.Text.Json.Serialization;

namespace ServiceMesh.Samples.Weather;

/// <summary>The contract between the services and their callers.</summary>
public static class Topics
{
    /// <summary>A city → one year of its readings, one for each hour.</summary>
    public static readonly RequestTopic<string, Reading[]> Fetch = new("weather.fetch");

    /// <summary>Readings → the same by month.</summary>
    public static readonly RequestTopic<Reading[], Dictionary<string, Reading[]>> Group = new("weather.group");

    /// <summary>Readings → the coldest; the first one when several are equally cold. 400 when there are none.</summary>
    public static readonly RequestTopic<Reading[], Reading> Min = new("weather.min");

    /// <summary>Readings → the warmest; the first one when several are equally warm. 400 when there are none.</summary>
    public static readonly RequestTopic<Reading[], Reading> Max = new("weather.max");
}

/// <summary>One measurement.</summary>
/// <param name="Day">Of the month, from 1.</param>
/// <param name="Month"><c>jan</c> to <c>dec</c>.</param>
/// <param name="Hour">0 to 23.</param>
/// <param name="Degrees">Celsius, a whole number as in the services of the first talk, so that their clients can read it.</param>
public sealed record Reading(int Day, string Month, int Hour, int Degrees);

/// <summary>How the bodies are written as JSON, generated at compile time: no reflection, ready for trimming.</summary>
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(Dictionary<string, Reading[]>))]
public sealed partial class WeatherJson : JsonSerializerContext;
