using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Publishes frames, and says in one way what went wrong. Thread-safe.</summary>
internal sealed class Publisher(RedisConnection connection, TransportContext context)
{
    /// <summary>
    /// The receiver count of the server that took the frame. The client goes on with whoever waits on the thread that reads
    /// for it: the application must not.
    /// </summary>
    /// <exception cref="TransportException">Redis did not take it, or its answer is lost.</exception>
    public async Task<long> PublishAsync(string channel, byte[] frame)
    {
        try
        {
            return connection.IsCluster
                ? (long)await connection.Database.ExecuteAsync("PUBLISH", ByKey(channel, frame), CommandFlags.None).ConfigureAwait(false)
                : await connection.Subscriber.PublishAsync(Channel(channel), frame, CommandFlags.None).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            throw new TransportException($"Redis did not take the message, or its answer is lost: {failure.Message}", failure);
        }
    }

    /// <summary>For what nobody waits for: what cannot be published is a loss that is reported.</summary>
    /// <param name="channel">Where.</param>
    /// <param name="frame">What.</param>
    /// <param name="topic">What the loss is about.</param>
    public async Task PublishOrReportAsync(string channel, byte[] frame, string topic)
    {
        try
        {
            await PublishAsync(channel, frame).ConfigureAwait(false);
        }
        catch (TransportException failure)
        {
            context.ReportLoss("not-published", topic, failure.Message, StatusCode.Unavailable);
        }
    }

    // In a cluster the client would publish on one master after the other, and messages on different ways overtake each other.
    // A key has one master, so all messages of a channel go the same way.
    private static object[] ByKey(string channel, byte[] frame) => [(RedisKey)channel, (RedisValue)frame];

    /// <summary>A name as the client wants it: one with <c>*</c> is a pattern.</summary>
    public static RedisChannel Channel(string name) =>
        new(name, name.Contains('*', StringComparison.Ordinal) ? RedisChannel.PatternMode.Pattern : RedisChannel.PatternMode.Literal);
}
