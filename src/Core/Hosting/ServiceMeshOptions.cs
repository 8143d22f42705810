namespace ServiceMesh;

/// <summary>
/// What the configuration section of a bus says. Every value has a working default and is checked at start; a key that
/// is not here is an error at start.
/// </summary>
public sealed class ServiceMeshOptions
{
    /// <summary>Which of the added transports runs. Default: <c>InMemory</c>.</summary>
    public string Transport { get; set; } = "InMemory";

    /// <summary>
    /// What the service is called, the same for all its replicas; part of each node's id. Default: the program's name.
    /// </summary>
    public string? NodeName { get; set; }

    /// <summary>
    /// Which serializer writes bodies: <c>Json</c>, or the name of one that was added, such as <c>MessagePack</c> by
    /// <c>AddMessagePackSerializer()</c> of the package ServiceMesh.MessagePack. The others still read. Default: <c>Json</c>.
    /// </summary>
    public string Serializer { get; set; } = "Json";

    /// <summary>What becomes of error reports. Default: <see cref="ErrorPolicy.Publish"/>.</summary>
    public ErrorPolicy ErrorPolicy { get; set; } = ErrorPolicy.Publish;

    /// <summary>
    /// How long a node that stops waits for what is in flight before it cancels it. 0 to 1 day; keep it below the host's
    /// own shutdown timeout (30 seconds by default). Default: 20 seconds.
    /// </summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Defaults of requests.</summary>
    public RequestSettings Request { get; set; } = new();

    /// <summary>Defaults of handlers.</summary>
    public HandlerSettings Handler { get; set; } = new();

    /// <summary>Error reports and their queue.</summary>
    public ErrorSettings Errors { get; set; } = new();
}

/// <summary><c>ServiceMesh:Request</c>: defaults of requests.</summary>
public sealed class RequestSettings
{
    /// <summary>How long a caller waits when the call does not say. 1 ms to 1 day. Default: 30 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The largest body in bytes, of requests, signals and replies, that this node sends or accepts. 1 to 1,073,741,824.
    /// Default: 4,194,304.
    /// </summary>
    public int MaxBodyBytes { get; set; } = 4 * 1024 * 1024;
}

/// <summary><c>ServiceMesh:Handler</c>: defaults of handlers; each handler may set its own.</summary>
public sealed class HandlerSettings
{
    /// <summary>How long one message may be handled. 1 ms to 1 day. Default: 10 minutes, as in Gilmour.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many messages one handler has at once. 1 to 1,000,000. Default: 256.</summary>
    public int MaxConcurrency { get; set; } = 256;

    /// <summary>How many messages wait for one handler; one more is refused with 429. 0 to 1,000,000. Default: 1,024.</summary>
    public int MaxQueued { get; set; } = 1024;
}

/// <summary><c>ServiceMesh:Errors</c>: error reports and the embedded queue.</summary>
public sealed class ErrorSettings
{
    /// <summary>How much of a failed message's body a report carries, in bytes. 0 to 1,048,576. Default: 4,096.</summary>
    public int MaxDataBytes { get; set; } = 4096;

    /// <summary>How many reports the queue holds; the oldest makes room. 1 to 1,000,000. Default: 10,000, as in Gilmour.</summary>
    public int QueueCapacity { get; set; } = 10_000;

    /// <summary>
    /// The file of the embedded queue; one process each. Default: <c>servicemesh-errors/NODENAME.jsonl</c> below the
    /// working directory.
    /// </summary>
    public string? QueueFile { get; set; }
}
