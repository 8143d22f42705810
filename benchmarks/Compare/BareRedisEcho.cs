using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The lower bound of the cost on Redis: the same client library with the minimum of an echo, a PUBLISH of the
/// request and a PUBLISH of the reply, and with a claim a SET NX between them. It has no deadline, no refusal, no receiver count, no
/// error and no limit: a message is a number of 8 bytes and the body.
/// </summary>
/// <remarks>
/// Both sides of the comparison have the same client in the same version, one connection for each node, and a body of JSON, which
/// the caller writes and reads. The replica sends the bytes back unread, on the thread on which the client delivers the message,
/// because it runs no code of an application. The caller continues on the thread pool: code after an await belongs to the
/// application, and on the thread of the client it would block all other messages.
/// </remarks>
internal sealed class BareRedisEcho : IEcho
{
    private const int NumberBytes = 8;

    private static readonly TimeSpan s_claimLifetime = TimeSpan.FromSeconds(31);

    private readonly List<ConnectionMultiplexer> _connections = [];
    private readonly ConcurrentDictionary<long, TaskCompletionSource<Reading>> _waiting = new();
    private readonly RedisChannel _requests;
    private readonly RedisChannel _replies;
    private readonly string _claims;
    private ISubscriber _caller = null!;
    private long _last;

    private BareRedisEcho(string prefix)
    {
        _requests = new($"{prefix}:bare:request", RedisChannel.PatternMode.Literal);
        _replies = new($"{prefix}:bare:reply", RedisChannel.PatternMode.Literal);
        _claims = $"{prefix}:bare:claim:";
    }

    public static async Task<IEcho> StartAsync(Brokers brokers, int replicas, bool claims)
    {
        var echo = new BareRedisEcho(Brokers.NextPrefix());
        for (var i = 0; i < replicas; i++)
        {
            var connection = await echo.ConnectAsync(brokers.Redis);
            var subscriber = connection.GetSubscriber();
            var database = connection.GetDatabase();
            await subscriber.SubscribeAsync(echo._requests, (channel, frame) =>
            {
                if (claims)
                {
                    _ = echo.ClaimAndAnswerAsync(database, subscriber, frame!);
                }
                else
                {
                    echo.Answer(subscriber, frame!);
                }
            });
        }

        echo._caller = (await echo.ConnectAsync(brokers.Redis)).GetSubscriber();
        await echo._caller.SubscribeAsync(echo._replies, (_, frame) => echo.OnReply(frame!));
        return echo;
    }

    public Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        var number = Interlocked.Increment(ref _last);
        var waiting = new TaskCompletionSource<Reading>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[number] = waiting;
        var body = JsonSerializer.SerializeToUtf8Bytes(reading);
        var frame = new byte[NumberBytes + body.Length];
        BinaryPrimitives.WriteInt64LittleEndian(frame, number);
        body.CopyTo(frame, NumberBytes);
        _caller.Publish(_requests, frame, CommandFlags.FireAndForget);
        return waiting.Task;
    }

    private void Answer(ISubscriber subscriber, byte[] frame) => subscriber.Publish(_replies, frame, CommandFlags.FireAndForget);

    private async Task ClaimAndAnswerAsync(IDatabase database, ISubscriber subscriber, byte[] frame)
    {
        var key = string.Create(CultureInfo.InvariantCulture, $"{_claims}{BinaryPrimitives.ReadInt64LittleEndian(frame)}");
        if (await database.StringSetAsync(key, "1", s_claimLifetime, When.NotExists).ConfigureAwait(false))
        {
            Answer(subscriber, frame);
        }
    }

    // Without a claim every replica answers; the first answer counts.
    private void OnReply(byte[] frame)
    {
        if (_waiting.TryRemove(BinaryPrimitives.ReadInt64LittleEndian(frame), out var waiting))
        {
            waiting.SetResult(JsonSerializer.Deserialize<Reading>(frame.AsSpan(NumberBytes))!);
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync(string address)
    {
        var connection = await ConnectionMultiplexer.ConnectAsync(address);
        _connections.Add(connection);
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.CloseAsync();
        }
    }
}
