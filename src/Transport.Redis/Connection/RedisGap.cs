namespace ServiceMesh.Redis;

/// <summary>A time in which a node's connection to Redis was away. Signals and requests for the node may have been lost in it.</summary>
public sealed record RedisGap
{
    /// <summary>When the connection was seen to break, or when the bus started without one.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>When everything was in force again: connected, and every subscription acknowledged. Null until then.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>What broke first, in a sentence.</summary>
    public required string Reason { get; init; }
}

/// <summary>
/// Tells of gaps in the connection of one bus. Resolve it from the container, by the bus's key where there are several.
/// Handlers are called one after the other on a thread of the pool, with this object as the sender; an exception of a handler
/// is logged and has no other effect. Thread-safe.
/// </summary>
public sealed class RedisGaps
{
    /// <summary>A gap began; <see cref="RedisGap.To"/> is null.</summary>
    public event EventHandler<RedisGap>? Began;

    /// <summary>A gap ended. Reload now what may have been missed.</summary>
    public event EventHandler<RedisGap>? Ended;

    internal void Raise(RedisGap gap, Action<Exception> onFailure)
    {
        foreach (var handler in (gap.To is null ? Began : Ended)?.GetInvocationList() ?? [])
        {
            try
            {
                ((EventHandler<RedisGap>)handler)(this, gap);
            }
            catch (Exception failure)
            {
                onFailure(failure);
            }
        }
    }
}
