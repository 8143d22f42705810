using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>Why an endpoint takes no request now.</summary>
internal enum UnavailableReason
{
    /// <summary>The endpoint takes requests, or did a moment ago.</summary>
    None,

    /// <summary>The endpoint does not answer.</summary>
    Unreachable,

    /// <summary>The endpoint is shutting down.</summary>
    Draining,

    /// <summary>The list gives the endpoint the weight 0.</summary>
    Drained,

    /// <summary>The circuit of the endpoint is open.</summary>
    CircuitOpen,

    /// <summary>As many attempts are in flight as are allowed.</summary>
    Full,
}

/// <summary>Finds and describes why endpoints take no request, for messages. Pure.</summary>
internal static class UnavailableReasons
{
    public static UnavailableReason Of(Endpoint endpoint) => endpoint.State switch
    {
        EndpointState.Unreachable => UnavailableReason.Unreachable,
        EndpointState.Draining => UnavailableReason.Draining,
        _ when endpoint.Address.Weight == 0 => UnavailableReason.Drained,
        _ when !endpoint.Breaker.WouldAdmit => UnavailableReason.CircuitOpen,
        _ when endpoint.IsFull => UnavailableReason.Full,
        _ => UnavailableReason.None,
    };

    /// <summary>The reason as the rest of a sentence that begins with the name of the endpoint.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="reason">The reason.</param>
    /// <param name="trouble">Why the endpoint is unreachable, where that is known.</param>
    public static string Describe(Endpoint endpoint, UnavailableReason reason, string? trouble = null) => reason switch
    {
        UnavailableReason.Unreachable => trouble ?? "does not answer",
        UnavailableReason.Draining => "is shutting down",
        UnavailableReason.Drained => "has the weight 0 in its list, so it takes no requests",
        UnavailableReason.CircuitOpen => endpoint.Breaker.OpenUntil is { } until && until < DateTimeOffset.MaxValue
            ? string.Create(CultureInfo.InvariantCulture, $"has an open circuit until {until:HH:mm:ss} UTC")
            : "has an open circuit until it is closed by hand",
        UnavailableReason.Full => $"has {endpoint.InFlight} requests in flight from this node, " +
            "the limit of Http:Limits:ConcurrencyPerEndpoint",
        _ => $"has {endpoint.InFlight} requests in flight from this node",
    };
}
