using ServiceMesh;

namespace Snippets;

#region contracts
public sealed record Reading(int Day, string Month, int Hour, double Degrees);

public static class Weather
{
    public static readonly RequestTopic<string, Reading[]> Fetch = new("weather.fetch");
    public static readonly RequestTopic<Reading[], Reading> Min = new("weather.min");
    public static readonly RequestTopic<Reading[], Reading> Max = new("weather.max");

    public static readonly SignalTopic<string> Log = new("weather.log");
    public static readonly SignalPattern<string> EveryLog = new("*.log");
}
#endregion

/// <summary>More topics, for the forms of a composition that need them.</summary>
public static class Archive
{
    public static readonly RequestTopic<string, Unit> CheckQuota = new("archive.quota");
    public static readonly RequestTopic<string, Reading[]> Fetch = new("archive.fetch");
    public static readonly RequestTopic<ArchiveQuery, Reading[]> Search = new("archive.search");
    public static readonly RequestTopic<string, Reading> Coldest = new("archive.coldest");
}

public sealed record ArchiveQuery(string City, string Unit = "C", int Limit = 1000);
