using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>Publishes frames, and says in one way what went wrong. Thread-safe.</summary>
internal sealed class Publisher
{
    private readonly RedisConnection _connection;
    private readonly Publications<string> _unwatched;

    public Publisher(RedisConnection connection, LossLog losses)
    {
        _connection = connection;
        _unwatched = new(
            connection,
            static (_, _) => { },
            (topic, failure) => losses.Report("not-published", topic, failure.Message, StatusCode.Unavailable));
    }

    /// <summary>
    /// The receiver count of the server that took the frame. The client continues its awaiters on the thread that reads
    /// for it: the application must not.
    /// </summary>
    /// <exception cref="TransportException">Redis did not take it, or its answer is lost.</exception>
    public async Task<long> PublishAsync(string channel, byte[] frame)
    {
        try
        {
            return await Send(_connection, channel, frame).ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            throw NotTaken(failure);
        }
    }

    /// <summary>For frames without a waiting caller: a frame that cannot be published is a loss that is reported.</summary>
    /// <param name="channel">Where.</param>
    /// <param name="frame">What.</param>
    /// <param name="topic">What the loss is about.</param>
    public void PublishOrReport(string channel, byte[] frame, string topic) => _unwatched.Publish(channel, frame, topic);

    /// <summary>The client's own task; whatever goes wrong is in it.</summary>
    public static Task<long> Send(RedisConnection connection, string channel, byte[] frame)
    {
        try
        {
            return connection.IsCluster
                ? InClusterAsync(connection, channel, frame)
                : connection.Subscriber.PublishAsync(Channel(channel), frame, CommandFlags.None);
        }
        catch (Exception failure)
        {
            return Task.FromException<long>(failure);
        }
    }

    public static TransportException NotTaken(Exception failure) =>
        failure as TransportException ?? new(
            $"Redis did not take the message, or its answer is lost: {Printable.Line(failure.Message)}",
            failure);

    /// <summary>A name as the client wants it: one with <c>*</c> is a pattern.</summary>
    public static RedisChannel Channel(string name) =>
        new(name, name.Contains('*', StringComparison.Ordinal) ? RedisChannel.PatternMode.Pattern : RedisChannel.PatternMode.Literal);

    // In a cluster the client would publish on one master after the other, and messages on different ways overtake each other.
    // A key has one master, so all messages of a channel go the same way.
    private static async Task<long> InClusterAsync(RedisConnection connection, string channel, byte[] frame) =>
        (long)await connection.Database.ExecuteAsync("PUBLISH", [(RedisKey)channel, (RedisValue)frame], CommandFlags.None)
            .ConfigureAwait(false);
}
