namespace ServiceMesh;

/// <summary>The result of a signal. That no subscriber received it is a result, not an error.</summary>
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

    /// <summary>For logs and debuggers: <c>2 receivers</c>, and the failures.</summary>
    public override string ToString()
    {
        var receivers = Receivers switch
        {
            null => "sent; the transport cannot count receivers",
            1 => "1 receiver",
            var many => $"{many} receivers",
        };
        return Failures.Count == 0 ? receivers : $"{receivers}; not received: {string.Join("; ", Failures)}";
    }
}
