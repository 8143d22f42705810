using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The floor on Redis: what the same client library does when a program does the least that an echo takes, PUBLISH of the
/// request and PUBLISH of the reply, and with a claim a SET NX between them. No deadline, no refusal, no receiver count, no
/// error, no limit: 8 bytes of a number before the body are all that there is.
/// </summary>
/// <remarks>
/// What is the same on both sides of the comparison: the client and its version, one connection for each node, the body as
/// JSON, made and read by whoever asks. Whoever answers sends the bytes back unread, and does so right where the client hands
/// the message over, since there is no application's code to keep away from there. Whoever asks does go on on the pool: what
/// follows an await is the application's, and a program that let it run on the client's thread would stop all others with it.
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

    public static async Task<IEcho> StartAsync(Ground ground, int replicas, bool claims)
    {
        var echo = new BareRedisEcho(Ground.NextPrefix());
        for (var i = 0; i < replicas; i++)
        {
            var connection = await echo.ConnectAsync(ground.Redis);
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

        echo._caller = (await echo.ConnectAsync(ground.Redis)).GetSubscriber();
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

    // Without a claim every replica answers; the first one is taken.
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
