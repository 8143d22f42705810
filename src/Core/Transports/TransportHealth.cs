using System.Collections.ObjectModel;

namespace ServiceMesh.Transports;

/// <summary>Whether a transport can move messages now.</summary>
/// <param name="State">How well.</param>
/// <param name="Reason">What is wrong and since when; null when nothing is.</param>
public sealed record TransportHealth(TransportState State, string? Reason = null)
{
    /// <summary>
    /// What an operator may want to know beside the state, by short names: the data of the health check has it too. Default: none.
    /// </summary>
    public IReadOnlyDictionary<string, object> Data { get; init; } = ReadOnlyDictionary<string, object>.Empty;

    /// <summary>Nothing is wrong.</summary>
    public static TransportHealth Healthy { get; } = new(TransportState.Healthy);
}

/// <summary>How well a transport works now.</summary>
public enum TransportState
{
    /// <summary>Fully.</summary>
    Healthy,

    /// <summary>It moves messages, and something is wrong: a gap being repaired, an endpoint out.</summary>
    Degraded,

    /// <summary>It moves no messages.</summary>
    Unavailable,
}
