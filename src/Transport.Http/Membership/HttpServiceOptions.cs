namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Services:NAME</c>: where a service is, and how it is called.</summary>
public sealed class HttpServiceOptions
{
    /// <summary>
    /// Its addresses: <c>static:host:port,host:port</c>, <c>dns://host:port</c>, <c>dns+srv://name</c>, <c>dns+txt://name</c>,
    /// <c>file:path</c>. Default: none; it must be set.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>
    /// For HttpClients: its endpoints for other purposes, each by its name with the addresses. The endpoint <c>admin</c> of the service
    /// <c>orders</c> is called as <c>http://_admin.orders</c>. Default: none.
    /// </summary>
    public Dictionary<string, string> Endpoints { get; set; } = [];

    /// <summary>How one of its endpoints is chosen: the name of a balancer. Default: <c>PowerOfTwoChoices</c>.</summary>
    public string Balancer { get; set; } = "PowerOfTwoChoices";

    /// <summary>What the balancer <c>ConsistentHash</c> hashes. Default: <c>Header</c>.</summary>
    public HashBy HashBy { get; set; }

    /// <summary>
    /// The header of the message whose value the balancer <c>ConsistentHash</c> hashes, if it hashes a header. Default:
    /// <c>partition-key</c>.
    /// </summary>
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

    /// <summary>Its timeouts. Default: the values of <c>ServiceMesh:Http:Timeouts</c>.</summary>
    public HttpServiceTimeoutOptions Timeouts { get; set; } = new();

    /// <summary>The service itself and its named endpoints, each with the host that URIs name it by.</summary>
    internal IEnumerable<(string Host, HttpServiceOptions Settings)> WithNamed(string name) =>
    [
        (name, this),
        .. Endpoints.Select(e => ($"_{e.Key}.{name}", With(e.Value))),
    ];

    /// <summary>Whether all settings are the same, so that a service need not be made again.</summary>
    internal bool IsSameAs(HttpServiceOptions other) =>
        (Address, Balancer, HashBy, HashHeader, Tls, Http2, HealthPath)
            == (other.Address, other.Balancer, other.HashBy, other.HashHeader, other.Tls, other.Http2, other.HealthPath)
        && Same(Topics, other.Topics) && Same(Endpoints, other.Endpoints)
        && (Retry.Attempts, Retry.Backoff, Retry.MaxBackoff, Retry.HedgeAfter)
            == (other.Retry.Attempts, other.Retry.Backoff, other.Retry.MaxBackoff, other.Retry.HedgeAfter)
        && Timeouts.All == other.Timeouts.All;

    private static bool Same(Dictionary<string, string> a, Dictionary<string, string> b) =>
        a.Count == b.Count && a.All(pair => b.TryGetValue(pair.Key, out var value) && value == pair.Value);

    private HttpServiceOptions With(string address)
    {
        var copy = (HttpServiceOptions)MemberwiseClone();
        (copy.Address, copy.Endpoints) = (address, []);
        return copy;
    }
}
