namespace ServiceMesh;

/// <summary>What became of a signal. Nobody listening is an answer, not an error.</summary>
/// <param name="Receivers">
/// How many received it, counted as the transport can (<see cref="TransportCapabilities.ReceiverCount"/>);
/// null when it cannot count.
/// </param>
public sealed record SignalResult(int? Receivers)
{
    /// <summary>Receivers that should have had it and did not, each with the reason. Default: none.</summary>
    public IReadOnlyList<string> Failures { get; init; } = [];

    /// <summary>True when at least one subscriber received it, or when the transport cannot tell.</summary>
    public bool WasReceived => Receivers is not 0;
}
