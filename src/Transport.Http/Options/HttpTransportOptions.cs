using System.Net;

namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http</c>: the HTTP transport. Everything has a working default and is checked at start.</summary>
public sealed class HttpTransportOptions
{
    internal const string TransportName = "Http";

    internal static readonly OptionsSchema Schema = OptionsSchema.Of<HttpTransportOptions>()
        .With<HttpTlsOptions>().With<HttpServiceOptions>().With<HttpDnsOptions>().With<HttpHealthOptions>().With<HttpTimeoutOptions>()
        .With<HttpRetryOptions>().With<HttpRetryBudgetOptions>().With<CircuitBreakerOptions>().With<OutlierEjectionOptions>()
        .With<HttpLimitOptions>().With<HttpClientOptions>();

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
    /// A secret that all nodes share: each sends it and requires it as <c>Authorization: Bearer</c>. At least 16 characters.
    /// Default: none.
    /// </summary>
    public string? Token { get; set; }

    /// <summary>
    /// True to let other machines call the node without TLS or without a token, for instance where a proxy in front of it does both.
    /// Default: false.
    /// </summary>
    public bool AllowUnprotected { get; set; }

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

    /// <summary>For ordinary HttpClients only.</summary>
    public HttpClientOptions HttpClients { get; set; } = new();

    /// <summary>The path of a key below the section that these options were read from, for messages.</summary>
    internal Func<string, string> KeyOf { get; set; } = key => $"ServiceMesh:Http:{key}";

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

/// <summary><c>ServiceMesh:Http:Services:NAME</c>: where a service is, and how it is called.</summary>
public sealed class HttpServiceOptions
{
    /// <summary>
    /// Its addresses: <c>static:host:port,host:port</c>, <c>dns://host:port</c>, <c>dns+srv://name</c>, <c>dns+txt://name</c>,
    /// <c>file:path</c>. Required.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>How one of its endpoints is chosen: the name of a balancer. Default: <c>PowerOfTwoChoices</c>.</summary>
    public string Balancer { get; set; } = "PowerOfTwoChoices";

    /// <summary>The header of the message whose value the balancer <c>ConsistentHash</c> hashes. Default: <c>partition-key</c>.</summary>
    public string HashHeader { get; set; } = "partition-key";

    /// <summary>Whether it is called over TLS, where its addresses do not say so themselves. Default: false.</summary>
    public bool Tls { get; set; }

    /// <summary>Whether it is called over HTTP/2 without TLS too; with TLS it is used where the server has it. Default: false.</summary>
    public bool Http2 { get; set; }

    /// <summary>
    /// For servers that are not ServiceMesh nodes: the topics that they answer, each with the path to post to. An empty
    /// path is that of a node. Default: none; the bus asks the nodes for their topics.
    /// </summary>
    public Dictionary<string, string> Topics { get; set; } = [];

    /// <summary>
    /// For servers that are not ServiceMesh nodes: the path that the bus asks to learn whether a server is healthy, which any status
    /// below 300 says. Default: none.
    /// </summary>
    public string? HealthPath { get; set; }

    /// <summary>How its requests are sent again. Default: the values of <c>ServiceMesh:Http:Retry</c>.</summary>
    public HttpRetryOptions Retry { get; set; } = new();
}

/// <summary><c>ServiceMesh:Http:Dns</c>: how names are looked up.</summary>
public sealed class HttpDnsOptions
{
    /// <summary>The DNS servers to ask, several joined by commas: <c>10.0.0.53,10.0.0.54:5353</c>. Default: those of the system.</summary>
    public string? Servers { get; set; }

    /// <exception cref="FormatException">One is not an IP address; the message says which.</exception>
    internal IReadOnlyList<IPEndPoint> ReadServers() =>
        [.. (Servers ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Read)];

    private static IPEndPoint Read(string text) => IPEndPoint.TryParse(text, out var server)
        ? new(server.Address, server.Port == 0 ? 53 : server.Port)
        : throw new FormatException($"'{text}' is not an IP address, with or without a port.");
}

/// <summary><c>ServiceMesh:Http:Health</c>: how nodes and servers are watched.</summary>
public sealed class HttpHealthOptions
{
    /// <summary>How often each is asked when nothing changes. 100 ms to 1 minute. Default: 5 seconds.</summary>
    [OptionRange("00:00:00.1", "00:01:00")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long its answer may take before it counts as unreachable. 10 ms to 1 minute. Default: 2 seconds.</summary>
    [OptionRange("00:00:00.01", "00:01:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(2);
}
