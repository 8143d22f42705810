using System.Text.Json;
using System.Text.Json.Serialization;
using StackExchange.Redis;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The protocol as the public Go and Ruby clients of Gilmour use it, on the same client library as the others: for each
/// request the caller asks how many listen (PUBSUB NUMSUB), subscribes to a channel for its reply, publishes, and
/// unsubscribes; a replica sets its claim and publishes. One difference makes it safer: the caller waits until Redis has
/// acknowledged the subscription, so that no reply is missed.
/// </summary>
internal sealed class GilmourProtocolEcho : IEcho
{
    private static readonly TimeSpan s_claimLifetime = TimeSpan.FromSeconds(600);

    private readonly List<ConnectionMultiplexer> _connections = [];
    private readonly string _topic;
    private IServer _server = null!;
    private ISubscriber _caller = null!;
    private long _last;

    private GilmourProtocolEcho(string topic) => _topic = topic;

    private RedisChannel Requests => Channel($"gilmour.request.{_topic}");

    public static async Task<IEcho> StartAsync(Brokers brokers, int replicas)
    {
        var echo = new GilmourProtocolEcho($"{Brokers.NextPrefix()}.protocol");
        for (var i = 0; i < replicas; i++)
        {
            var connection = await echo.ConnectAsync(brokers.Redis);
            var (database, subscriber) = (connection.GetDatabase(), connection.GetSubscriber());
            await subscriber.SubscribeAsync(echo.Requests, (channel, request) => _ = AnswerAsync(database, subscriber, request!));
        }

        var caller = await echo.ConnectAsync(brokers.Redis);
        echo._caller = caller.GetSubscriber();
        echo._server = caller.GetServer(caller.GetEndPoints()[0]);
        return echo;
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        if (await _server.SubscriptionSubscriberCountAsync(Requests) == 0)
        {
            throw new InvalidOperationException($"{_topic} has no handler.");
        }

        var sender = $"{_topic}-{Interlocked.Increment(ref _last)}";
        var replies = Channel($"gilmour.response.{sender}");
        var reply = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _caller.SubscribeAsync(replies, OnReply);
        try
        {
            await _caller.PublishAsync(Requests, JsonSerializer.SerializeToUtf8Bytes(new Envelope(reading, 0, sender)));
            return JsonSerializer.Deserialize<Envelope>(await reply.Task)!.Data;
        }
        finally
        {
            // The reply has arrived, so the caller does not wait for the cleanup.
            await _caller.UnsubscribeAsync(replies, OnReply, CommandFlags.FireAndForget);
        }

        void OnReply(RedisChannel channel, RedisValue value) => reply.TrySetResult(value!);
    }

    private static async Task AnswerAsync(IDatabase database, ISubscriber subscriber, byte[] frame)
    {
        var request = JsonSerializer.Deserialize<Envelope>(frame)!;
        var claim = request.Sender + "_default";
        if (await database.StringSetAsync(claim, claim, s_claimLifetime, When.NotExists).ConfigureAwait(false))
        {
            var channel = $"gilmour.response.{request.Sender}";
            await subscriber.PublishAsync(
                Channel(channel), JsonSerializer.SerializeToUtf8Bytes(new Envelope(request.Data, 200, channel))).ConfigureAwait(false);
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync(string address)
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(address);
        _connections.Add(connection);
        return connection;
    }

    private static RedisChannel Channel(string name) => new(name, RedisChannel.PatternMode.Literal);

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.CloseAsync();
        }
    }

    private sealed record Envelope(
        [property: JsonPropertyName("data")] Reading Data,
        [property: JsonPropertyName("code")] int Code,
        [property: JsonPropertyName("sender")] string Sender);
}
