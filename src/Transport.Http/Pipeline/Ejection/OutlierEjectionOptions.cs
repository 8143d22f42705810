namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Ejection</c>: when an endpoint that is worse than its peers is left out, and for how long. A group reads its
/// options once, when it is made.
/// </summary>
public sealed class OutlierEjectionOptions
{
    private static readonly OptionsSchema s_schema = OptionsSchema.Of<OutlierEjectionOptions>();

    /// <summary>
    /// The number of failures in a row that ejects an endpoint. Lower it where the other endpoints can take all requests. At least 1.
    /// Default: 5.
    /// </summary>
    [OptionRange(1)]
    public int ConsecutiveFailures { get; set; } = 5;

    /// <summary>
    /// The number of requests within the window, of the endpoint and of its peers together, from which on their failure rates are
    /// compared. At least 1. Default: 20.
    /// </summary>
    [OptionRange(1)]
    public int MinimumRequests { get; set; } = 20;

    /// <summary>The time whose requests are compared. It moves on in 20 steps. 100 ms to 1 hour. Default: 20 seconds.</summary>
    [OptionRange("00:00:00.1", "01:00:00")]
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long an endpoint is left out the first time; the second time twice as long, and so on, up to 5 minutes. Each equal time
    /// that it stays in without a new ejection takes one step off. 1 ms to 1 hour. Default: 10 seconds.
    /// </summary>
    [OptionRange("00:00:00.001", "01:00:00")]
    public TimeSpan EjectionTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// At most this share of a group is ejected at once, rounded down, but always one endpoint; 0 turns ejection off. 0 to 1.
    /// Default: 0.3.
    /// </summary>
    [OptionRange(0, 1)]
    public double MaxEjected { get; set; } = 0.3;

    /// <summary>
    /// When less than this share of a group can take requests, ejection is ignored, and opened circuits are tried again
    /// sooner: a bad endpoint is better than too many requests for the few good ones. 0 turns that off. 0 to 1. Default: 0.5.
    /// </summary>
    [OptionRange(0, 1)]
    public double PanicThreshold { get; set; } = 0.5;

    /// <summary>
    /// The most that <see cref="EjectionTime"/> grows to, where that is not longer itself. Not an option: tests change it.
    /// </summary>
    internal TimeSpan MaxEjectionTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// An endpoint is an outlier when its share of failures is above that of its peers by at least this much, and chance does
    /// not explain it. At 1 only <see cref="ConsecutiveFailures"/> ejects. Not an option: tests change it.
    /// </summary>
    internal double FailureRateMargin { get; set; } = 0.2;

    /// <summary>A sentence for each option that is wrong, with its key and the rule; none when they can work.</summary>
    /// <param name="section">The section that they were read from.</param>
    internal IEnumerable<string> Problems(string section) => s_schema.OutOfRange(section, this);
}
