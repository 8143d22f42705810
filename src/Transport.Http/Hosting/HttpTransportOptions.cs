using System.Net;

namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http</c>: the HTTP transport. Everything has a working default and is checked at start.</summary>
public sealed class HttpTransportOptions
{
    /// <summary>
    /// Where the node's own server listens, several joined by <c>;</c>: <c>http://127.0.0.1:5080</c>. <c>https</c> speaks
    /// HTTP/1.1 and HTTP/2, <c>http</c> HTTP/1.1, <c>h2c</c> HTTP/2 without TLS. Port 0 takes a free one. Listening
    /// beyond loopback needs <c>https</c> and a <see cref="Token"/>, or <see cref="AllowUnprotected"/>. Default:
    /// <c>http://127.0.0.1:5080</c> as soon as the node handles something, and nothing where the application serves the
    /// endpoints itself (<c>MapServiceMesh</c>).
    /// </summary>
    public string? Listen { get; set; }

    /// <summary>
    /// A secret that all nodes share: each sends it and wants it as <c>Authorization: Bearer</c>. At least 16 characters.
    /// Default: none.
    /// </summary>
    public string? Token { get; set; }

    /// <summary>True when it is meant that anybody who reaches the node beyond loopback may call it, or that TLS ends elsewhere. Default: false.</summary>
    public bool AllowUnprotected { get; set; }

    /// <summary>Certificates.</summary>
    public HttpTlsSettings Tls { get; set; } = new();

    /// <summary>The services that this node calls, by names that mean nothing but to their reader. Default: none.</summary>
    public Dictionary<string, HttpServiceSettings> Services { get; set; } = [];

    /// <summary>How names are looked up.</summary>
    public HttpDnsSettings Dns { get; set; } = new();

    /// <summary>How nodes and servers are watched.</summary>
    public HttpHealthSettings Health { get; set; } = new();

    /// <summary>Timeouts of the phases of a request.</summary>
    public HttpTimeoutSettings Timeouts { get; set; } = new();

    /// <summary>How requests are sent again; services may have their own.</summary>
    public HttpRetrySettings Retry { get; set; } = new();

    /// <summary>How much retries may add to the load.</summary>
    public HttpRetryBudgetSettings RetryBudget { get; set; } = new();

    /// <summary>When an endpoint's circuit opens, and how it is tried again.</summary>
    public CircuitBreakerSettings CircuitBreaker { get; set; } = new();

    /// <summary>When an endpoint that is worse than its peers is left out, and for how long.</summary>
    public OutlierEjectionSettings Ejection { get; set; } = new();

    /// <summary>How much may be under way at once.</summary>
    public HttpLimitSettings Limits { get; set; } = new();

    /// <summary>What holds for ordinary HttpClients only.</summary>
    public HttpClientSettings HttpClients { get; set; } = new();
}

/// <summary><c>ServiceMesh:Http:Services:NAME</c>: where a service is, and how it is called.</summary>
public sealed class HttpServiceSettings
{
    /// <summary>
    /// Its addresses: <c>static:host:port,host:port</c>, <c>dns://host:port</c>, <c>dns+srv://name</c>, <c>dns+txt://name</c>,
    /// <c>file:path</c>. Required.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>How one of its endpoints is chosen. Default: <c>PowerOfTwoChoices</c>.</summary>
    public string Balancer { get; set; } = "PowerOfTwoChoices";

    /// <summary>The header of the message whose value <c>ConsistentHash</c> hashes. Default: <c>partition-key</c>.</summary>
    public string HashHeader { get; set; } = "partition-key";

    /// <summary>Whether it is called over TLS, where its addresses do not say so themselves. Default: false.</summary>
    public bool Tls { get; set; }

    /// <summary>Whether it is called over HTTP/2 without TLS too; with TLS it is used where the server has it. Default: false.</summary>
    public bool Http2 { get; set; }

    /// <summary>
    /// Whether its servers are no ServiceMesh nodes: the bus does not ask them who they are. Set it for a service that only
    /// HttpClients call. Default: true where <see cref="Topics"/> are stated.
    /// </summary>
    public bool? Foreign { get; set; }

    /// <summary>
    /// For a server that is not a ServiceMesh node: the topics that it answers, each with the path to post to. An empty
    /// path is that of a node. Default: none; the topics are asked of the nodes.
    /// </summary>
    public Dictionary<string, string> Topics { get; set; } = [];

    /// <summary>
    /// For a server that is not a ServiceMesh node: what is asked to know whether it is well; any status below 300 says so.
    /// Default: nothing is asked.
    /// </summary>
    public string? HealthPath { get; set; }

    /// <summary>How its requests are sent again. Default: as <c>ServiceMesh:Http:Retry</c> says.</summary>
    public HttpRetrySettings Retry { get; set; } = new();
}

/// <summary><c>ServiceMesh:Http:Dns</c>: how names are looked up.</summary>
public sealed class HttpDnsSettings
{
    /// <summary>
    /// The DNS servers to ask, several joined by commas: <c>10.0.0.53,10.0.0.54:5353</c>. Default: those of the system, or of the
    /// <c>DnsClient.ILookupClient</c> that the application registered.
    /// </summary>
    public string? Servers { get; set; }

    /// <exception cref="FormatException">One is no IP address; the message says which.</exception>
    internal IReadOnlyList<IPEndPoint> ReadServers() =>
        [.. (Servers ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Read)];

    private static IPEndPoint Read(string text) => IPEndPoint.TryParse(text, out var server)
        ? new(server.Address, server.Port == 0 ? 53 : server.Port)
        : throw new FormatException($"'{text}' is no IP address with or without a port.");
}

/// <summary><c>ServiceMesh:Http:Health</c>: how nodes and servers are watched.</summary>
public sealed class HttpHealthSettings
{
    /// <summary>How often each is asked when nothing happens. 100 ms to 1 minute. Default: 5 seconds.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long its answer may take before it counts as unreachable. 10 ms to 1 minute. Default: 2 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(2);
}
