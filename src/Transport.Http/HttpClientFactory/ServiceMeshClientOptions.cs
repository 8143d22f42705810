namespace ServiceMesh.Http;

/// <summary>
/// How one HttpClient uses the mesh: judgements and times of its own, set in code with <c>ConfigureServiceMesh</c>, or with
/// <see cref="ServiceMeshHandler.Client"/>. They come before those of services, and after those of a request. Set them before the first
/// request.
/// </summary>
/// <example>
/// <code source="samples/Snippets/HttpClients.cs" region="client" />
/// </example>
public sealed class ServiceMeshClientOptions
{
    private TimeSpan? _totalTimeout;
    private TimeSpan? _attemptTimeout;

    /// <summary>
    /// Whether an answer is worth another attempt, in place of the rule for statuses. It is asked for requests that may be repeated only,
    /// must be thread-safe and quick, must not read the body, and must not throw. Null, the default: the rule, which is 408, 425, 429 and
    /// 5xx. An answer that says that nothing ran is sent elsewhere in any case.
    /// </summary>
    public Func<HttpResponseMessage, bool>? RetryOn { get; set; }

    /// <summary>
    /// Whether an answer is a failure of its server, for the circuit breaker, the ejection and the balancer. It is asked once for each
    /// answer, must be thread-safe and quick, must not read the body, and must not throw. Null, the default: 5xx of a server that is not a
    /// node of the mesh. An attempt without an answer is a failure in any case.
    /// </summary>
    public Func<HttpResponseMessage, bool>? IsFailed { get; set; }

    /// <summary>
    /// How long a request may take in all, until the headers of its answer. 1 ms to 1 day. Null, the default: the value of the service.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside the range.</exception>
    public TimeSpan? TotalTimeout
    {
        get => _totalTimeout;
        set => _totalTimeout = Checked(value);
    }

    /// <summary>How long one attempt may take. 1 ms to 1 day. Null, the default: the value of the service.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside the range.</exception>
    public TimeSpan? AttemptTimeout
    {
        get => _attemptTimeout;
        set => _attemptTimeout = Checked(value);
    }

    private static TimeSpan? Checked(TimeSpan? value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value ?? TimeSpan.MaxValue, TimeSpan.FromMilliseconds(1), nameof(value));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value ?? TimeSpan.Zero, TimeSpan.FromDays(1), nameof(value));
        return value;
    }
}
