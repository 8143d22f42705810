namespace ServiceMesh.Links;

/// <summary>The bounds of the links of one node, and the pool that they run on.</summary>
internal sealed record LinkOptions
{
    /// <summary>The most frames that wait for one target. Default: 65,536.</summary>
    public int MaxWaitingFrames { get; init; } = 65_536;

    /// <summary>The most bytes that wait for one target, unless a single frame is larger. Default: 64 MiB.</summary>
    public int MaxWaitingBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The most bytes of one gathered write, unless a single frame is larger. Default: 256 KiB.</summary>
    public int MaxBatchBytes { get; init; } = 256 * 1024;

    /// <summary>
    /// The most bytes that are written to one target before it has answered a ping behind them: what a broker would otherwise
    /// have to keep for a slow reader. Default: 4 MiB.
    /// </summary>
    public int MaxUnconfirmedBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>How long one write may take. After that its outcome is unknown. Default: 3 seconds.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>A peer that owes an answer and has been silent for so long is asked with a ping. Default: 1 second.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a peer may leave a ping without an answer before it is taken for dead. Default: 2 seconds.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The interval at which a peer is asked whether a request still runs, so that a lost request ends then and not only at its
    /// deadline. Default: 2 seconds.
    /// </summary>
    public TimeSpan AskAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Whether a peer is asked after a silence even if it owes nothing. For a connection that can be open at one end only: each end then
    /// finds that out by itself. Default: false.
    /// </summary>
    public bool PingsWhenIdle { get; init; }

    /// <summary>
    /// Whether the link ends requests whose deadline has passed. False where the caller's token does so at once. Default: true.
    /// </summary>
    public bool EndsAtDeadline { get; init; } = true;

    /// <summary>
    /// After how long a signal counts as delivered that its member has neither accepted nor refused. Infinite where only the end of the
    /// link or the caller's token ends the wait. Default: 3 seconds.
    /// </summary>
    public TimeSpan SignalMemory { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Puts a work item behind all that the pool has to do. Default: the thread pool of .NET.</summary>
    public Action<IThreadPoolWorkItem> RunOnPool { get; init; } =
        static item => ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false);

    /// <summary>The largest body that this node accepts.</summary>
    public required int MaxBodyBytes { get; init; }
}
