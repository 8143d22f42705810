using NATS.Client.Core;
using NATS.Net;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// NATS.Net as its documentation shows it: <see cref="NatsClient"/> with its JSON serializer, replicas that read a queue group in
/// a loop, and a request with the client's own timeout. One contestant uses direct replies, which bypass the subscriptions of
/// the connection; the other one has the defaults. Since version 3.0 of the client both take the same path.
/// </summary>
/// <remarks>A replica answers one request after the other. This costs least, because the echo waits for nothing.</remarks>
internal sealed class NatsEcho : IEcho
{
    private readonly string _subject = $"{Brokers.NextPrefix()}.echo";
    private readonly List<NatsClient> _clients = [];
    private readonly List<Task> _replicas = [];
    private readonly NatsOpts _options;
    private NatsClient _caller = null!;

    private NatsEcho(bool direct, Brokers brokers)
    {
        var defaults = NatsOpts.Default with { Url = $"nats://{brokers.Nats}" };
        _options = direct ? defaults with { RequestReplyMode = NatsRequestReplyMode.Direct } : defaults;
    }

    /// <summary>How the connection of the caller receives replies.</summary>
    public NatsRequestReplyMode Mode => _caller.Connection.Opts.RequestReplyMode;

    public static async Task<IEcho> StartAsync(bool direct, Brokers brokers, int replicas)
    {
        var echo = new NatsEcho(direct, brokers);
        for (var i = 0; i < replicas; i++)
        {
            var client = await echo.ConnectAsync();
            var requests = await client.Connection.SubscribeCoreAsync<Reading>(echo._subject, queueGroup: "echo");
            await client.PingAsync(); // the server knows the subscription when it answers
            echo._replicas.Add(AnswerAsync(requests));
        }

        echo._caller = await echo.ConnectAsync();
        return echo;
    }

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        var reply = await _caller.RequestAsync<Reading, Reading>(_subject, reading, cancellationToken: cancellationToken);
        reply.EnsureSuccess();
        return reply.Data!;
    }

    private static async Task AnswerAsync(INatsSub<Reading> requests)
    {
        await foreach (var request in requests.Msgs.ReadAllAsync())
        {
            await request.ReplyAsync(request.Data);
        }
    }

    private async Task<NatsClient> ConnectAsync()
    {
        var client = new NatsClient(_options);
        _clients.Add(client);
        await client.ConnectAsync();
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync(); // ends the loops of its replica too
        }

        await Task.WhenAll(_replicas);
    }
}
