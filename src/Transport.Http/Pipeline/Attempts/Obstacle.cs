using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>Why an endpoint takes no request now.</summary>
internal enum Obstacle
{
    /// <summary>It takes some, or did a moment ago.</summary>
    None,

    /// <summary>It does not answer.</summary>
    Unreachable,

    /// <summary>It is shutting down.</summary>
    Leaving,

    /// <summary>Its circuit is open.</summary>
    Open,

    /// <summary>As many attempts are under way as may be.</summary>
    Full,
}

/// <summary>The obstacles in front of endpoints, for messages to people. Pure.</summary>
internal static class Obstacles
{
    public static Obstacle Of(Endpoint endpoint) => endpoint.State switch
    {
        EndpointState.Unreachable => Obstacle.Unreachable,
        EndpointState.Draining => Obstacle.Leaving,
        _ when !endpoint.Breaker.WouldAdmit => Obstacle.Open,
        _ when endpoint.IsFull => Obstacle.Full,
        _ => Obstacle.None,
    };

    /// <summary>What it is, to stand behind its name.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="why">What stands in front of it.</param>
    /// <param name="trouble">Why it is unreachable, where that is known.</param>
    public static string Describe(Endpoint endpoint, Obstacle why, string? trouble = null) => why switch
    {
        Obstacle.Unreachable => trouble ?? "does not answer",
        Obstacle.Leaving => "is shutting down",
        Obstacle.Open => endpoint.Breaker.OpenUntil is { } until && until < DateTimeOffset.MaxValue
            ? string.Create(CultureInfo.InvariantCulture, $"has an open circuit until {until:HH:mm:ss} UTC")
            : "has an open circuit until it is closed by hand",
        Obstacle.Full => $"has {endpoint.InFlight} requests under way from here, which is as many as Http:Limits:ConcurrencyPerEndpoint allows",
        _ => $"has {endpoint.InFlight} requests under way from here",
    };
}
