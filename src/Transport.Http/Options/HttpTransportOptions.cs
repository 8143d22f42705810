namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http</c>: the HTTP transport. Everything has a working default and is checked at start.</summary>
public sealed class HttpTransportOptions
{
    internal const string TransportName = "Http";

    internal static readonly OptionsSchema Schema = OptionsSchema.Of<HttpTransportOptions>()
        .With<HttpTlsOptions>().With<HttpServiceOptions>().With<HttpServiceTimeoutOptions>().With<HttpDnsOptions>()
        .With<HttpHealthOptions>().With<HttpTimeoutOptions>()
        .With<HttpRetryOptions>().With<HttpRetryBudgetOptions>().With<CircuitBreakerOptions>().With<OutlierEjectionOptions>()
        .With<HttpLimitOptions>().With<HttpServerOptions>().With<HttpClientOptions>();

    // Fields, because the configuration binder looks at every property.
    internal readonly List<BalancerKind> Balancers = [];
    internal readonly List<ResolverKind> Resolvers = [];

    /// <summary>
    /// The addresses of the node's own server, several joined by <c>;</c>. <c>https</c> speaks HTTP/1.1 and HTTP/2, <c>http</c>
    /// HTTP/1.1, <c>h2c</c> HTTP/2 without TLS. Port 0 takes a free one. An address that other machines can reach needs <c>https</c> and
    /// a <see cref="Token"/>, or <see cref="AllowUnprotected"/>. Default: <c>http://127.0.0.1:5080</c> as soon as the node handles
    /// something; none where the application serves the endpoints itself (<c>MapServiceMesh</c>).
    /// </summary>
    public string? Listen { get; set; }

    /// <summary>
    /// A secret that all nodes share: each sends it and requires it as <c>Authorization: Bearer</c>. At least 16 visible ASCII
    /// characters, without blanks.
    /// Default: none.
    /// </summary>
    public string? Token { get; set; }

    /// <summary>
    /// True to let other machines call the node without TLS or without a token, for instance where a proxy in front of it does both.
    /// Default: false.
    /// </summary>
    public bool AllowUnprotected { get; set; }

    /// <summary>
    /// Whether messages to other nodes travel as frames on one long HTTP/2 stream for each node, over TLS or h2c. <c>Auto</c>: where the
    /// other node takes part; otherwise each message uses an exchange of its own. <c>Never</c>: this node opens no session and accepts
    /// none. Default: <c>Auto</c>.
    /// </summary>
    public HttpSessions Sessions { get; set; } = HttpSessions.Auto;

    /// <summary>Certificates.</summary>
    public HttpTlsOptions Tls { get; set; } = new();

    /// <summary>The services that this node calls, by names that the reader of the section chooses. Default: none.</summary>
    public Dictionary<string, HttpServiceOptions> Services { get; set; } = [];

    /// <summary>How names are looked up.</summary>
    public HttpDnsOptions Dns { get; set; } = new();

    /// <summary>How nodes and servers are watched.</summary>
    public HttpHealthOptions Health { get; set; } = new();

    /// <summary>Timeouts of the phases of a request.</summary>
    public HttpTimeoutOptions Timeouts { get; set; } = new();

    /// <summary>How requests are sent again; a service may have options of its own.</summary>
    public HttpRetryOptions Retry { get; set; } = new();

    /// <summary>How much retries may add to the load.</summary>
    public HttpRetryBudgetOptions RetryBudget { get; set; } = new();

    /// <summary>When an endpoint's circuit opens, and how it is tried again.</summary>
    public CircuitBreakerOptions CircuitBreaker { get; set; } = new();

    /// <summary>When an endpoint that is worse than its peers is left out, and for how long.</summary>
    public OutlierEjectionOptions Ejection { get; set; } = new();

    /// <summary>How much may be under way at once.</summary>
    public HttpLimitOptions Limits { get; set; } = new();

    /// <summary>What callers may take of this node.</summary>
    public HttpServerOptions Server { get; set; } = new();

    /// <summary>For ordinary HttpClients only.</summary>
    public HttpClientOptions HttpClients { get; set; } = new();

    /// <summary>The path of a key below the section that these options were read from, for messages.</summary>
    internal Func<string, string> KeyOf { get; set; } = key => $"ServiceMesh:Http:{key}";

    /// <summary>The options of the endpoints of each service.</summary>
    internal GroupOptions OfEndpoints => new(CircuitBreaker, Ejection, Limits.MaxPerEndpoint);

    /// <summary>How the requests of a service are retried and timed: by its own options, and where it has none by those for all.</summary>
    internal CallSettings CallsOf(HttpServiceOptions service) => CallSettings.Of(service.Retry, Retry, Timeouts.With(service.Timeouts));

    /// <summary>Adds a balancer that services may name; it replaces a built-in one of the same name.</summary>
    /// <param name="name">The name that configuration uses; case does not matter.</param>
    /// <param name="factory">Makes the balancer of one set of endpoints with one priority.</param>
    public void AddBalancer(string name, Func<BalancerContext, IBalancer> factory)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(factory);
        Balancers.Add(new(name, factory));
    }

    /// <summary>Adds a scheme of addresses that services may use; it replaces a built-in one of the same name.</summary>
    /// <param name="scheme">The scheme, in lower case: <c>etcd</c>.</param>
    /// <param name="factory">
    /// Makes the resolver of one group. It must not wait. A target that it cannot use is a <see cref="FormatException"/>,
    /// which ends the start with its message.
    /// </param>
    public void AddResolver(string scheme, Func<AddressGroup, ResolverContext, IResolver> factory)
    {
        ArgumentException.ThrowIfNullOrEmpty(scheme);
        ArgumentNullException.ThrowIfNull(factory);
        Resolvers.Add(new(scheme, factory));
    }
}
