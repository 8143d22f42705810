using System.Globalization;
using Polly.CircuitBreaker;

namespace ServiceMesh.Http;

/// <summary>
/// A call was not made because its circuit is open, so it was certainly not processed. <see cref="BrokenCircuitException.RetryAfter"/>
/// is the time left until the circuit admits a trial; null if it stays open until it is closed by hand.
/// </summary>
#pragma warning disable CA1032 // Only a breaker creates this exception: without a circuit it would say nothing.
public sealed class CircuitOpenException : BrokenCircuitException
#pragma warning restore CA1032
{
    private CircuitOpenException(string circuit, DateTimeOffset? since, TimeSpan left, string message)
        : base(message, left) => (Circuit, Since) = (circuit, since);

    private CircuitOpenException(string circuit, DateTimeOffset? since, string message)
        : base(message) => (Circuit, Since) = (circuit, since);

    /// <summary>The name of the breaker, for instance host and port of an endpoint.</summary>
    public string Circuit { get; }

    /// <summary>When the circuit opened; failed trials do not change it. Null if the circuit closed at that very moment.</summary>
    public DateTimeOffset? Since { get; }

    /// <param name="circuit">The name of the breaker.</param>
    /// <param name="outage">Why the circuit is open; null if it is closed by now.</param>
    /// <param name="left">The time left until a trial; null for never.</param>
    internal static CircuitOpenException Of(string circuit, Outage? outage, TimeSpan? left)
    {
        if (outage is null)
        {
            var closed = $"The circuit of '{circuit}' was open and has closed at this moment; the call was not made. Try again.";
            return new(circuit, null, TimeSpan.Zero, closed);
        }

        var trials = outage.FailedTrials == 0
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $" ({outage.FailedTrials} trials have failed since)");
        var said = string.Create(
            CultureInfo.InvariantCulture,
            $"The circuit of '{circuit}' has been open since {outage.Since:HH:mm:ss} UTC because {outage.Why}{trials}; " +
            $"the call was not made.");
        if (left is not { } time)
        {
            return new(circuit, outage.Since, $"{said} It stays open until it is closed by hand.");
        }

        var next = string.Create(CultureInfo.InvariantCulture, $"It admits a trial in {time.TotalSeconds:0.###} s.");
        return new(circuit, outage.Since, time, $"{said} {next}");
    }
}
