namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Health</c>: how nodes and servers are watched.</summary>
public sealed class HttpHealthOptions
{
    /// <summary>How often each is asked when nothing changes. 100 ms to 1 minute. Default: 5 seconds.</summary>
    [OptionRange("00:00:00.1", "00:01:00")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long its answer may take before it counts as unreachable. 10 ms to 1 minute. Default: 2 seconds.</summary>
    [OptionRange("00:00:00.01", "00:01:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(2);
}
