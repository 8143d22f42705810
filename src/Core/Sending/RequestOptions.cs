namespace ServiceMesh;

/// <summary>How one request or composition is sent. Immutable; one value may serve many calls.</summary>
public sealed record RequestOptions
{
    /// <summary>
    /// How long the caller waits in all, over every step of a composition. 1 ms to 1 day.
    /// Default: <c>ServiceMesh:Request:Timeout</c>.
    /// </summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Texts that travel beside the body, with every step of a composition. Default: none.</summary>
    public Headers Headers { get; init; } = Headers.Empty;
}
