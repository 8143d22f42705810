using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// When a circuit opens, how long it stays open, and how it is tried again. Everything has a working default. A breaker
/// reads its settings once, when it is made.
/// </summary>
public sealed class CircuitBreakerOptions
{
    private const int MostIntervals = 1000;

    /// <summary>
    /// The circuit opens when at least this share of the calls within the window failed, and at least one did. 0 to 1: at 0
    /// any failure opens it, at 1 only when all fail. Lower it for callers that have somewhere else to go. Default: 0.5.
    /// </summary>
    public double FailureRateThreshold { get; set; } = 0.5;

    /// <summary>
    /// With fewer calls than these within the window the circuit stays closed, since a few failures prove nothing. At least 1.
    /// Lower it for traffic that has fewer calls in a window. Default: 10.
    /// </summary>
    public int MinimumRequestThreshold { get; set; } = 10;

    /// <summary>
    /// How long one trial has the word, once the open window has passed. A trial that has not answered by then keeps nobody
    /// waiting: the next call is a trial as well. 1 ms to 1 hour. Default: 3 seconds.
    /// </summary>
    public TimeSpan TrialRequestInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long an opened circuit admits nothing, at first. Each trial that fails doubles it, up to
    /// <see cref="LongestCircuitOpenWindow"/>. Each time up to a fifth is taken off by chance, so that many clients do not
    /// come back at one moment. 1 ms to 1 day. Default: 10 seconds.
    /// </summary>
    public TimeSpan CircuitOpenWindow { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The most that <see cref="CircuitOpenWindow"/> grows to. As long as that, or longer; at most 1 day. Equal to it, nothing
    /// grows. Default: 300 seconds.
    /// </summary>
    public TimeSpan LongestCircuitOpenWindow { get; set; } = TimeSpan.FromSeconds(300);

    /// <summary>
    /// The time whose calls are looked at. Shorter notices a new failure among many old successes sooner; longer is surer with
    /// little traffic. 1 ms to 1 hour. Default: 20 seconds.
    /// </summary>
    public TimeSpan CounterSlidingWindow { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How often the window moves on and is looked at: an outage is noticed that much later, and calls are forgotten that much
    /// earlier, at most. 1 ms to <see cref="CounterSlidingWindow"/>, and a thousandth of it at least. Default: 1 second.
    /// </summary>
    public TimeSpan CounterUpdateInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What is wrong with these settings: one sentence for each, with the key and the rule. Empty when they can work.</summary>
    /// <param name="key">The section they come from, such as <c>ServiceMesh:Http:CircuitBreaker</c>.</param>
    public IEnumerable<string> Complaints(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return
        [
            .. SettingRules.Share($"{key}:{nameof(FailureRateThreshold)}", FailureRateThreshold),
            .. SettingRules.AtLeast($"{key}:{nameof(MinimumRequestThreshold)}", MinimumRequestThreshold, 1),
            .. SettingRules.Time($"{key}:{nameof(TrialRequestInterval)}", TrialRequestInterval, TimeSpan.FromHours(1)),
            .. SettingRules.Time($"{key}:{nameof(CircuitOpenWindow)}", CircuitOpenWindow, TimeSpan.FromDays(1)),
            .. SettingRules.Time($"{key}:{nameof(LongestCircuitOpenWindow)}", LongestCircuitOpenWindow, TimeSpan.FromDays(1)),
            .. SettingRules.NotLonger($"{key}:{nameof(CircuitOpenWindow)}", CircuitOpenWindow, $"{key}:{nameof(LongestCircuitOpenWindow)}", LongestCircuitOpenWindow),
            .. SettingRules.Time($"{key}:{nameof(CounterSlidingWindow)}", CounterSlidingWindow, TimeSpan.FromHours(1)),
            .. SettingRules.Time($"{key}:{nameof(CounterUpdateInterval)}", CounterUpdateInterval, TimeSpan.FromHours(1)),
            .. SettingRules.NotLonger($"{key}:{nameof(CounterUpdateInterval)}", CounterUpdateInterval, $"{key}:{nameof(CounterSlidingWindow)}", CounterSlidingWindow),
            .. TooFine(key),
        ];
    }

    private IEnumerable<string> TooFine(string key)
    {
        if (CounterUpdateInterval > TimeSpan.Zero && CounterSlidingWindow / CounterUpdateInterval > MostIntervals)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{key}:{nameof(CounterUpdateInterval)} is {CounterUpdateInterval}; a window of {CounterSlidingWindow} ({key}:{nameof(CounterSlidingWindow)}) is cut into {MostIntervals} intervals at most.");
        }
    }
}
