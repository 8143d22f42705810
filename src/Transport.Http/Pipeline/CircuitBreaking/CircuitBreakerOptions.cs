namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:CircuitBreaker</c>: when a circuit opens, how long it stays open, and how it is tried again. A breaker reads
/// its options once, when it is made.
/// </summary>
public sealed class CircuitBreakerOptions
{
    private const int MaxIntervals = 1000;

    private static readonly OptionsSchema s_schema = OptionsSchema.Of<CircuitBreakerOptions>();

    /// <summary>
    /// False switches the breaker off: no failure opens the circuit, and it can still be opened by hand. Ejection has a switch of its own
    /// (<see cref="OutlierEjectionOptions.MaxEjected"/>). Default: true.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// The circuit opens when at least this share of the calls within the window failed, and at least one did: at 0 any failure opens
    /// it, at 1 only when all calls fail. Lower it for callers that have another server to go to. 0 to 1. Default: 0.5.
    /// </summary>
    [OptionRange(0, 1)]
    public double FailureRateThreshold { get; set; } = 0.5;

    /// <summary>
    /// With fewer calls within the window the circuit stays closed, since a few failures prove nothing. Lower it for traffic that has
    /// fewer calls in a window. At least 1. Default: 10.
    /// </summary>
    [OptionRange(1)]
    public int MinimumRequestThreshold { get; set; } = 10;

    /// <summary>
    /// How long to wait for a trial call, once the open window has passed. When a trial has not answered by then, the next call is a
    /// trial as well. 1 ms to 1 hour. Default: 3 seconds.
    /// </summary>
    [OptionRange("00:00:00.001", "01:00:00")]
    public TimeSpan TrialRequestInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long an opened circuit admits no call, at first. Each trial that fails doubles the time, up to 5 minutes. Up to a fifth is
    /// taken off at random, so that many clients do not come back at one moment. 1 ms to 1 day. Default: 10 seconds.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan CircuitOpenWindow { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The time whose calls are counted. A shorter window notices a new failure among many old successes sooner; a longer one is surer
    /// with little traffic. 1 ms to 1 hour. Default: 20 seconds.
    /// </summary>
    [OptionRange("00:00:00.001", "01:00:00")]
    public TimeSpan CounterSlidingWindow { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How often the window moves on and is evaluated; an outage is noticed later by at most this time. At most
    /// <see cref="CounterSlidingWindow"/>, and at least a thousandth of it. 1 ms to 1 hour. Default: 1 second.
    /// </summary>
    [OptionRange("00:00:00.001", "01:00:00")]
    public TimeSpan CounterUpdateInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The most that <see cref="CircuitOpenWindow"/> grows to, where that is not longer itself. Not an option: tests change it.
    /// </summary>
    internal TimeSpan MaxOpenWindow { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>A sentence for each option that is wrong, with its key and the rule; none when they can work.</summary>
    /// <param name="section">The section that they were read from.</param>
    internal IEnumerable<string> Problems(string section) => s_schema.OutOfRange(section, this).Concat(Contradictions(section));

    /// <summary>The same for the rules between two options.</summary>
    internal IEnumerable<string> Contradictions(string section)
    {
        var (interval, window) = ($"{section}:{nameof(CounterUpdateInterval)}", $"{section}:{nameof(CounterSlidingWindow)}");
        var tooLong = OptionRules.NotMore(interval, CounterUpdateInterval, window, CounterSlidingWindow);
        if (CounterSlidingWindow > TimeSpan.Zero && tooLong is not null)
        {
            yield return tooLong;
        }

        if (CounterUpdateInterval > TimeSpan.Zero && CounterSlidingWindow / CounterUpdateInterval > MaxIntervals)
        {
            yield return $"{interval} is {CounterUpdateInterval}; " +
                $"a window of {CounterSlidingWindow} ({window}) is cut into {MaxIntervals} intervals at most.";
        }
    }
}
