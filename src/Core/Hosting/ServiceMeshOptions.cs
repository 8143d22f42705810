namespace ServiceMesh;

/// <summary>
/// What the configuration section of a bus says. Every value has a working default and is checked at start; a key that
/// is not here is an error at start. The bus reads it once, when it is made.
/// </summary>
public sealed class ServiceMeshOptions
{
    internal static readonly OptionsSchema Schema = OptionsSchema.Of<ServiceMeshOptions>()
        .With<ServiceMeshRequestOptions>().With<ServiceMeshHandlerOptions>().With<ServiceMeshErrorOptions>();

    /// <summary>
    /// Which of the added transports runs. Default: the one that was added; <c>InMemory</c> where that is one of several.
    /// </summary>
    public string? Transport { get; set; }

    /// <summary>
    /// The name of the service, the same for all its replicas; part of each node's id. Not empty. Default: the program's name.
    /// </summary>
    public string? NodeName { get; set; }

    /// <summary>
    /// Which serializer writes bodies: <c>Json</c>, or the name of one that was added, such as <c>MessagePack</c> by
    /// <c>AddMessagePackSerializer()</c> of the package ServiceMesh.MessagePack. The others still read. Default: <c>Json</c>.
    /// </summary>
    public string Serializer { get; set; } = "Json";

    /// <summary>
    /// How closely a body must match its type. <see cref="ContractMatching.Exact"/> refuses members that the type does not have,
    /// so all nodes must change together. Default: <see cref="ContractMatching.Compatible"/>.
    /// </summary>
    public ContractMatching Contracts { get; set; } = ContractMatching.Compatible;

    /// <summary>What happens to error reports. Default: <see cref="ErrorPolicy.Publish"/>.</summary>
    public ErrorPolicy ErrorPolicy { get; set; } = ErrorPolicy.Publish;

    /// <summary>
    /// How long a node that stops waits for what is in flight before it cancels it; keep it below the host's
    /// own shutdown timeout (30 seconds by default). 0 to 1 day. Default: 20 seconds.
    /// </summary>
    [OptionRange("00:00:00", "1.00:00:00")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>What holds for requests whose <see cref="RequestOptions"/> do not say otherwise.</summary>
    public ServiceMeshRequestOptions Request { get; set; } = new();

    /// <summary>What holds for handlers whose <see cref="HandlerOptions"/> do not say otherwise.</summary>
    public ServiceMeshHandlerOptions Handler { get; set; } = new();

    /// <summary>Error reports and their queue.</summary>
    public ServiceMeshErrorOptions Errors { get; set; } = new();

    /// <summary>The path of a key below the section that these options were read from, for messages.</summary>
    internal Func<string, string> KeyOf { get; set; } = key => SectionBinding.PathOf(null, key);
}

/// <summary><c>ServiceMesh:Request</c>: what holds for requests whose <see cref="RequestOptions"/> do not say otherwise.</summary>
public sealed class ServiceMeshRequestOptions
{
    /// <summary>How long a caller waits when the call does not say. 1 ms to 1 day. Default: 30 seconds.</summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The largest body in bytes, of requests, signals and replies, that this node sends or accepts. 1 to 1,073,741,824.
    /// Default: 4,194,304.
    /// </summary>
    [OptionRange(1, 1 << 30)]
    public int MaxBodyBytes { get; set; } = 4 * 1024 * 1024;
}

/// <summary><c>ServiceMesh:Handler</c>: what holds for handlers whose <see cref="HandlerOptions"/> do not say otherwise.</summary>
public sealed class ServiceMeshHandlerOptions
{
    /// <summary>
    /// How long one message may be handled before the bus stops waiting for the handler and answers 499. 1 ms to 1 day.
    /// Default: 10 minutes, as in Gilmour.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many messages one handler has at once. 1 to 1,000,000. Default: 256.</summary>
    [OptionRange(1, 1_000_000)]
    public int MaxConcurrency { get; set; } = 256;

    /// <summary>How many messages wait for one handler; one more is refused with 429. 0 to 1,000,000. Default: 1,024.</summary>
    [OptionRange(0, 1_000_000)]
    public int MaxQueued { get; set; } = 1024;
}

/// <summary><c>ServiceMesh:Errors</c>: error reports and the embedded queue.</summary>
public sealed class ServiceMeshErrorOptions
{
    internal const int MaxPublishedBytes = 1 << 20;

    /// <summary>How much of a failed message's body a report carries, in bytes. 0 to 1,048,576. Default: 4,096.</summary>
    [OptionRange(0, MaxPublishedBytes)]
    public int MaxDataBytes { get; set; } = 4096;

    /// <summary>
    /// Whether a report carries the whole body of the failed message, so that the message can be replayed: bodies of up to 1 MiB where
    /// reports are published, of any size where they are queued. Default: false.
    /// </summary>
    public bool WholeBody { get; set; }

    /// <summary>
    /// What callers learn about an exception of a handler: <c>None</c>, a sentence with the ids by which an operator finds the log and
    /// the report, or <c>Message</c>, its type and message. Default: <c>Message</c> in the Development environment and on the
    /// in-memory transport, <c>None</c> otherwise.
    /// </summary>
    public ErrorDetails? Details { get; set; }

    /// <summary>
    /// How many reports the queue holds; when it is full, the oldest are dropped. 1 to 1,000,000. Default: 10,000, as in Gilmour.
    /// </summary>
    [OptionRange(1, 1_000_000)]
    public int QueueCapacity { get; set; } = 10_000;

    /// <summary>
    /// The file of the embedded queue. Each further node that has the same one adds a number: <c>errors.2.jsonl</c>. A transport with a
    /// queue of its own, such as Redis, does not use it. Default: <c>servicemesh-errors/NODENAME.jsonl</c> below the working
    /// directory.
    /// </summary>
    public string? QueueFile { get; set; }
}
