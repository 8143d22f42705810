namespace ServiceMesh.Http;

/// <summary>The settings of a breaker in the form it computes with: checked, copied, with times in the unit of its clock. Pure.</summary>
internal sealed class CircuitRules
{
    private const double MaxJitter = 0.2;

    private readonly bool _isEnabled;
    private readonly double _failureRate;
    private readonly int _minimum;
    private readonly long _window;
    private readonly long _interval;
    private readonly TimeSpan _maxWindow;

    /// <exception cref="ArgumentException">A setting is not valid; the message names it.</exception>
    public CircuitRules(CircuitBreakerOptions settings, CoarseClock clock)
    {
        var problems = settings.Problems("CircuitBreaker").ToArray();
        if (problems.Length > 0)
        {
            throw new ArgumentException(string.Join(' ', problems), nameof(settings));
        }

        _isEnabled = settings.Enabled;
        _failureRate = settings.FailureRateThreshold;
        _minimum = settings.MinimumRequestThreshold;
        CountedTime = settings.CounterSlidingWindow;
        _window = clock.Stamps(CountedTime);
        _interval = clock.Stamps(settings.CounterUpdateInterval);
        TrialInterval = clock.Stamps(settings.TrialRequestInterval);
        FirstWindow = settings.CircuitOpenWindow;
        _maxWindow = FirstWindow > settings.MaxOpenWindow ? FirstWindow : settings.MaxOpenWindow;
    }

    public TimeSpan CountedTime { get; }

    public long TrialInterval { get; }

    /// <summary>How long a circuit stays open that was closed before.</summary>
    public TimeSpan FirstWindow { get; }

    public OutcomeWindow MakeWindow(long now) => new(_window, _interval, now);

    public bool ShouldOpen(Outcomes within) =>
        _isEnabled && within.Failures > 0 && within.Total >= _minimum && within.FailureRate >= _failureRate;

    /// <summary>How long a circuit stays open whose trial failed.</summary>
    public TimeSpan NextWindow(TimeSpan before, bool grows)
    {
        var next = grows ? before * 2 : before;
        next = next > FirstWindow ? next : FirstWindow;
        return next < _maxWindow ? next : _maxWindow;
    }

    /// <summary>Subtracts up to a fifth. The result is never longer than configured, and the same for the same number.</summary>
    public static TimeSpan SubtractJitter(TimeSpan window, ulong number)
    {
        // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): consecutive numbers give unrelated values.
        unchecked
        {
            number *= 0x9E3779B97F4A7C15;
            number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
            number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
            number ^= number >> 31;
        }

        return window * (1 - (MaxJitter * (number >> 11) * (1.0 / (1L << 53))));
    }
}
