namespace ServiceMesh;

/// <summary>How one handler takes its messages. An option that is null has its value from <c>ServiceMesh:Handler</c>.</summary>
public sealed class HandlerOptions
{
    private string[] _policies = [];

    /// <summary>
    /// The handlers that share the work with this one: one member per group gets a message. Letters, digits, <c>-</c>
    /// and <c>_</c>; on the Gilmour wire of Redis all but white space and control characters. At most 255 characters.
    /// Default: <c>_default</c> for requests; for signals none, so that every subscriber gets a copy.
    /// </summary>
    public string? Group { get; set; }

    /// <summary>
    /// How long one message may be handled before the bus answers 499 and the token fires. 1 ms to 1 day.
    /// Default: <c>ServiceMesh:Handler:Timeout</c>.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? Timeout { get; set; }

    /// <summary>
    /// How many messages are handled at once on this node. 1 to 1,000,000. Default: <c>ServiceMesh:Handler:MaxConcurrency</c>.
    /// </summary>
    [OptionRange(1, 1_000_000)]
    public int? MaxConcurrency { get; set; }

    /// <summary>
    /// How many messages wait on this node when all places are taken; one more is refused with 429. 0 to 1,000,000.
    /// Default: <c>ServiceMesh:Handler:MaxQueued</c>.
    /// </summary>
    [OptionRange(0, 1_000_000)]
    public int? MaxQueued { get; set; }

    /// <summary>
    /// Handles one message at a time, in the order of arrival. Needs a transport that delivers in order, and excludes
    /// <see cref="MaxConcurrency"/>. Default: false.
    /// </summary>
    public bool Ordered { get; set; }

    /// <summary>
    /// The authorization policies that a caller must satisfy, all of them; an empty name is the default policy of the application.
    /// Set it by <see cref="RequireAuthorization"/>. Default: none.
    /// </summary>
    public IReadOnlyList<string> AuthorizationPolicies => _policies;

    /// <summary>
    /// Demands authorization: a caller that does not satisfy the policies is refused with 401 or 403 before its body is decoded and before
    /// the handler runs. The HTTP transport evaluates the policies of ASP.NET Core (<c>AddAuthorization</c>). A transport that cannot
    /// authenticate callers (Redis, in memory), and a policy that does not exist, fail at start. All handlers of one request topic on one
    /// node must demand the same policies.
    /// </summary>
    /// <param name="policies">The names of the policies, in addition to those of earlier calls. None: the default policy.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentException">A name is null or empty.</exception>
    /// <example>
    /// <code source="samples/Snippets/Authorization.cs" region="policy" />
    /// </example>
    public HandlerOptions RequireAuthorization(params IReadOnlyList<string> policies)
    {
        ArgumentNullException.ThrowIfNull(policies);
        foreach (var policy in policies)
        {
            ArgumentException.ThrowIfNullOrEmpty(policy, nameof(policies));
        }

        _policies = [.. _policies.Concat(policies.Count == 0 ? [""] : policies).Distinct()];
        return this;
    }
}
