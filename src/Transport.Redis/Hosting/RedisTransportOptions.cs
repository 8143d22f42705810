namespace ServiceMesh.Redis;

/// <summary>Which bytes and channels the Redis transport speaks.</summary>
public enum RedisWire
{
    /// <summary>The project's own compact binary frames: <c>docs/redis-wire.md</c>.</summary>
    Native,

    /// <summary>The JSON envelopes of the public Go and Ruby implementations of Gilmour.</summary>
    Gilmour,
}

/// <summary><c>ServiceMesh:Redis</c>: the Redis transport.</summary>
public sealed class RedisTransportOptions
{
    /// <summary>
    /// Where Redis is and how to get in, as StackExchange.Redis writes it: <c>host:port,password=…,ssl=true</c>.
    /// Default: <c>localhost:6379</c>.
    /// </summary>
    public string Configuration { get; set; } = "localhost:6379";

    /// <summary>Which wire is spoken. All nodes of a mesh speak the same. Default: <see cref="RedisWire.Native"/>.</summary>
    public RedisWire Wire { get; set; } = RedisWire.Native;

    /// <summary>
    /// What every channel and key of the native wire begins with: two meshes on one Redis have different ones.
    /// Letters, digits, <c>-</c>, <c>_</c> and <c>.</c>. The Gilmour wire has fixed names. Default: <c>mesh</c>.
    /// </summary>
    public string KeyPrefix { get; set; } = "mesh";

    /// <summary>How long start waits for Redis. 1 ms to 1 day. Default: 5 seconds.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
