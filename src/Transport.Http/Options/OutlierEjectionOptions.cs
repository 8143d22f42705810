namespace ServiceMesh.Http;

/// <summary>
/// When an endpoint that is worse than its peers is left out, and for how long. Everything has a working default. A group
/// reads its settings once, when it is made.
/// </summary>
public sealed class OutlierEjectionOptions
{
    /// <summary>So many failures in a row eject an endpoint. At least 1. Lower it where others can take everything. Default: 5.</summary>
    public int ConsecutiveFailures { get; set; } = 5;

    /// <summary>
    /// An endpoint is an outlier when its share of failures is above that of its peers by this much at least, and chance does
    /// not explain it. 0 to 1. At 1 nothing but <see cref="ConsecutiveFailures"/> ejects. Default: 0.2.
    /// </summary>
    public double FailureRateMargin { get; set; } = 0.2;

    /// <summary>So many requests within the window it takes, of the endpoint and of its peers together, to compare them. At least 1. Default: 20.</summary>
    public int MinimumRequests { get; set; } = 20;

    /// <summary>The time whose requests are compared. It moves on in 20 steps. 100 ms to 1 hour. Default: 20 seconds.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long an endpoint is left out the first time; the second time twice as long, and so on. Each time as long that it
    /// stays in without being ejected again takes one off. 1 ms to 1 hour. Default: 10 seconds.
    /// </summary>
    public TimeSpan EjectionTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The most that <see cref="EjectionTime"/> grows to. As long as that, or longer; at most 1 day. Default: 300 seconds.</summary>
    public TimeSpan LongestEjectionTime { get; set; } = TimeSpan.FromSeconds(300);

    /// <summary>
    /// At most this share of a group is ejected at once, rounded down, but one endpoint in any case. 0 to 1; 0 turns ejection
    /// off. Default: 0.3.
    /// </summary>
    public double MaxEjected { get; set; } = 0.3;

    /// <summary>
    /// When less than this share of a group can take requests, ejection is ignored, and opened circuits are tried again
    /// sooner: better a bad endpoint than too much for the few good ones. 0 to 1; 0 never. Default: 0.5.
    /// </summary>
    public double PanicThreshold { get; set; } = 0.5;

    /// <summary>What is wrong with these settings: one sentence for each, with the key and the rule. Empty when they can work.</summary>
    /// <param name="key">The section they come from, such as <c>ServiceMesh:Http:Ejection</c>.</param>
    public IEnumerable<string> Complaints(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return
        [
            .. SettingRules.AtLeast($"{key}:{nameof(ConsecutiveFailures)}", ConsecutiveFailures, 1),
            .. SettingRules.Share($"{key}:{nameof(FailureRateMargin)}", FailureRateMargin),
            .. SettingRules.AtLeast($"{key}:{nameof(MinimumRequests)}", MinimumRequests, 1),
            .. SettingRules.Time($"{key}:{nameof(Window)}", Window, TimeSpan.FromHours(1), TimeSpan.FromMilliseconds(100)),
            .. SettingRules.Time($"{key}:{nameof(EjectionTime)}", EjectionTime, TimeSpan.FromHours(1)),
            .. SettingRules.Time($"{key}:{nameof(LongestEjectionTime)}", LongestEjectionTime, TimeSpan.FromDays(1)),
            .. SettingRules.NotLonger($"{key}:{nameof(EjectionTime)}", EjectionTime, $"{key}:{nameof(LongestEjectionTime)}", LongestEjectionTime),
            .. SettingRules.Share($"{key}:{nameof(MaxEjected)}", MaxEjected),
            .. SettingRules.Share($"{key}:{nameof(PanicThreshold)}", PanicThreshold),
        ];
    }
}
