using System.Net;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Which bytes and channels the Redis transport speaks.</summary>
public enum RedisWire
{
    /// <summary>The project's own compact binary frames: <c>docs/wire.md</c>.</summary>
    Native,

    /// <summary>The JSON envelopes of the public Go and Ruby implementations of Gilmour.</summary>
    Gilmour,
}

/// <summary><c>ServiceMesh:Redis</c>: the Redis transport. Read once, when the bus is made.</summary>
public sealed class RedisTransportOptions
{
    internal const string TransportName = "Redis";

    internal static readonly OptionsSchema Schema = OptionsSchema.Of<RedisTransportOptions>().With<GilmourOptions>();

    // What a frame may have besides the body: headers at their limit, names, numbers.
    private const int FrameOverhead = 64 * 1024;

    /// <summary>
    /// The servers and how to connect to them, as StackExchange.Redis writes it: <c>host:port,password=…,ssl=true</c>; several
    /// hosts for a cluster; Sentinels with <c>serviceName=…</c>. Not used when <see cref="Connect"/> is set.
    /// Default: <c>localhost:6379</c>.
    /// </summary>
    public string Configuration { get; set; } = "localhost:6379";

    /// <summary>
    /// The name of a connection string of the application in place of <see cref="Configuration"/>: with <c>cache</c>,
    /// <c>ConnectionStrings:cache</c> is used, as hosts and Aspire give it. Default: none.
    /// </summary>
    public string? ConnectionName { get; set; }

    /// <summary>Which wire is spoken. All nodes of a mesh speak the same. Default: <see cref="RedisWire.Native"/>.</summary>
    public RedisWire Wire { get; set; } = RedisWire.Native;

    /// <summary>
    /// The beginning of every channel and key of the native wire: two meshes on one Redis need different ones.
    /// 1 to 64 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>. The Gilmour wire has fixed names. Default: <c>mesh</c>.
    /// </summary>
    public string KeyPrefix { get; set; } = "mesh";

    /// <summary>
    /// The keys of the mesh, each 32 bytes as base64: with them every message, announcement and report of the native wire is sealed, so
    /// that a stranger with access to Redis can neither read nor forge it. The first key seals; each of them opens, so that a key can be
    /// changed while the mesh runs. At most 2; all nodes have the same. Default: none, nothing is sealed.
    /// </summary>
    public IReadOnlyList<string> Keys { get; set; } = [];

    /// <summary>
    /// How long the start waits for Redis; the diagnosis of a failure may take two seconds more. 1 ms to 1 day. Default: 5 seconds.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// True to start without Redis and keep trying: until Redis is there, health is unavailable and requests end with 503. False
    /// to fail at start. Default: false.
    /// </summary>
    public bool KeepTrying { get; set; }

    /// <summary>
    /// The most bytes that leave in one PUBLISH of the native wire, unless a single message is larger: what waits for a member
    /// while a PUBLISH is under way goes together in the next. 1,024 to 16,777,216. Default: 262,144.
    /// </summary>
    [OptionRange(1024, 16 * 1024 * 1024)]
    public int MaxBatchBytes { get; set; } = 256 * 1024;

    /// <summary>What only the Gilmour wire uses.</summary>
    public GilmourOptions Gilmour { get; set; } = new();

    /// <summary>
    /// Changes what <see cref="Configuration"/> cannot say about the bus's own connection, for instance how a certificate is
    /// checked. Code only. Default: null.
    /// </summary>
    public Action<ConfigurationOptions>? ConfigureClient { get; set; }

    /// <summary>
    /// Hands in the application's own connection in place of one that the bus makes. The bus asks for it at start, and with
    /// <see cref="KeepTrying"/> again until it is connected; it never closes it. Code only. Default: null.
    /// </summary>
    public Func<CancellationToken, Task<IConnectionMultiplexer>>? Connect { get; set; }

    /// <summary>The key of the configuration that says where Redis is, for messages.</summary>
    internal string KeyOfServers(Transports.TransportContext context) =>
        ConnectionName is { Length: > 0 } name ? $"ConnectionStrings:{name}" : context.KeyOf($"{TransportName}:{nameof(Configuration)}");

    /// <summary>The servers, for the log, without anything secret.</summary>
    internal string Servers => Connect is not null
        ? "a connection of the application"
        : string.Join(", ", ConfigurationOptions.Parse(Configuration).EndPoints.Select(Describe));

    /// <summary>True for a frame that is too large to be looked at.</summary>
    internal static bool Exceeds(int frameBytes, int maxBodyBytes) => frameBytes > maxBodyBytes + FrameOverhead;

    private static string Describe(EndPoint server) => server is DnsEndPoint name ? $"{name.Host}:{name.Port}" : $"{server}";
}
