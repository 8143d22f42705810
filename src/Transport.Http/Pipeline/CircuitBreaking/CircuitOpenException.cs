using System.Globalization;
using Polly.CircuitBreaker;

namespace ServiceMesh.Http;

/// <summary>
/// A call was not made because its circuit is open, so it was certainly not processed. <see cref="BrokenCircuitException.RetryAfter"/>
/// is the time left until the circuit admits a trial; null when it stays open until somebody closes it.
/// </summary>
#pragma warning disable CA1032 // Only a breaker makes one: without a circuit it would say nothing.
public sealed class CircuitOpenException : BrokenCircuitException
#pragma warning restore CA1032
{
    private CircuitOpenException(string circuit, DateTimeOffset? since, TimeSpan left, string message)
        : base(message, left) => (Circuit, Since) = (circuit, since);

    private CircuitOpenException(string circuit, DateTimeOffset? since, string message)
        : base(message) => (Circuit, Since) = (circuit, since);

    /// <summary>The name of the circuit: that of its breaker, such as an endpoint's host and port.</summary>
    public string Circuit { get; }

    /// <summary>When it opened; trials that failed since do not change it. Null when it closed at the very moment.</summary>
    public DateTimeOffset? Since { get; }

    /// <param name="circuit">Its name.</param>
    /// <param name="outage">Why it is open; null when it is closed by now.</param>
    /// <param name="left">The time left until a trial; null for never.</param>
    internal static CircuitOpenException Of(string circuit, Outage? outage, TimeSpan? left)
    {
        if (outage is null)
        {
            return new(circuit, null, TimeSpan.Zero, $"The circuit of '{circuit}' was open and has closed at this moment; the call was not made. Try again.");
        }

        var trials = outage.FailedTrials == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({outage.FailedTrials} trials have failed since)");
        var said = string.Create(CultureInfo.InvariantCulture, $"The circuit of '{circuit}' has been open since {outage.Since:HH:mm:ss} UTC because {outage.Why}{trials}; the call was not made.");
        return left is { } time
            ? new(circuit, outage.Since, time, string.Create(CultureInfo.InvariantCulture, $"{said} It admits a trial in {time.TotalSeconds:0.###} s."))
            : new(circuit, outage.Since, $"{said} It stays open until it is closed by hand.");
    }
}
