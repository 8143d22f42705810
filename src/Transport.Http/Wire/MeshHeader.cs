namespace ServiceMesh.Http;

/// <summary>The names that the wire uses. All of them but W3C's begin with <c>mesh-</c>; HTTP ignores case.</summary>
internal static class MeshHeader
{
    /// <summary>Names the message: <c>NODE.NUMBER</c>, or whatever a foreign client chose.</summary>
    public const string Id = "mesh-id";

    /// <summary>What is left of the caller's deadline when the request is sent, in whole milliseconds.</summary>
    public const string Timeout = "mesh-timeout";

    /// <summary>
    /// The status of an answer. HTTP's own status says the same, except where HTTP cannot (204 has no body, 1000 is no
    /// status); an answer without this header did not come from a node.
    /// </summary>
    public const string Status = "mesh-status";

    /// <summary>What went wrong, where the body is the handler's own and so cannot be problem details.</summary>
    public const string Error = "mesh-error";

    /// <summary><c>1</c>: no handler ran, so that the request may be sent again.</summary>
    public const string NotProcessed = "mesh-not-processed";

    /// <summary>How full the handler is that answered: 0 is idle, 1 is full, more is a queue.</summary>
    public const string Load = "mesh-load";

    /// <summary>Who watches the node document: <c>NODE.NUMBER</c>.</summary>
    public const string Watcher = "mesh-watcher";

    /// <summary>
    /// With a signal: the groups that get this copy, joined by commas; empty for none. Without it, all groups of the
    /// receiving node do.
    /// </summary>
    public const string Groups = "mesh-groups";

    /// <summary>With a signal: <c>no</c> when the receiving node's subscribers without a group get no copy.</summary>
    public const string Individuals = "mesh-individuals";

    /// <summary>Before the name of a header of the message itself, so that no name is taken.</summary>
    public const string OfMessage = "mesh-header-";

    /// <summary>Trace context and the idempotency key travel under the names that others know, so that proxies and foreign servers take part.</summary>
    public static bool IsCommon(string name) =>
        name.Equals("traceparent", StringComparison.OrdinalIgnoreCase) || name.Equals("tracestate", StringComparison.OrdinalIgnoreCase)
        || name.Equals(Headers.IdempotencyKey, StringComparison.OrdinalIgnoreCase);
}
