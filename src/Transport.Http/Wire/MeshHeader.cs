namespace ServiceMesh.Http;

/// <summary>The names of headers on the wire. All except those of the W3C begin with <c>mesh-</c>; HTTP ignores case.</summary>
internal static class MeshHeader
{
    /// <summary>The id of the message: <c>NODE.NUMBER</c>, or any text from a foreign client.</summary>
    public const string Id = "mesh-id";

    /// <summary>The time until the caller's deadline when the request is sent, in whole milliseconds.</summary>
    public const string Timeout = "mesh-timeout";

    /// <summary>
    /// The deadline again, as an instant on the clock of the node that receives it: <c>CLOCK.MILLISECONDS</c>. A request that the network
    /// held back does not get its time anew.
    /// </summary>
    public const string Deadline = "mesh-deadline";

    /// <summary>
    /// The status of a reply. The HTTP status is the same where HTTP allows it (204 has no body, and 1000 is not an HTTP status). A
    /// response without this header does not come from a node.
    /// </summary>
    public const string Status = "mesh-status";

    /// <summary>The error, if the body is that of the handler and so cannot be problem details.</summary>
    public const string Error = "mesh-error";

    /// <summary><c>1</c>: no handler ran, so that the request may be sent again.</summary>
    public const string NotProcessed = "mesh-not-processed";

    /// <summary>
    /// <c>1</c>: the handler chose the failing status itself. Written beside 408 and 503 only, which the mesh gives as well.
    /// </summary>
    public const string OfHandler = "mesh-of-handler";

    /// <summary>The load of the handler that answered: 0 is idle, 1 is full, more than 1 means a queue.</summary>
    public const string Load = "mesh-load";

    /// <summary>The name of a watcher of the node document: <c>NODE.NUMBER</c>.</summary>
    public const string Watcher = "mesh-watcher";

    /// <summary>
    /// With a signal: the groups that receive this copy, separated by commas; empty for none. Without the header all groups of the
    /// receiving node receive it.
    /// </summary>
    public const string Groups = "mesh-groups";

    /// <summary>With a signal: <c>no</c> if the subscribers without a group on the receiving node receive no copy.</summary>
    public const string Individuals = "mesh-individuals";

    /// <summary>With a session: the largest body of a reply, in bytes, that the caller accepts.</summary>
    public const string MaxBody = "mesh-max-body";

    /// <summary>The prefix of headers of the message itself, so that their names are free to choose.</summary>
    public const string OfMessage = "mesh-header-";

    /// <summary>
    /// Whether a header of a message travels under its own name. Trace context and idempotency key do, so that proxies and foreign servers
    /// understand them.
    /// </summary>
    public static bool IsCommon(string name) =>
        TraceContext.Owns(name) || name.Equals(Headers.IdempotencyKey, StringComparison.OrdinalIgnoreCase);
}
