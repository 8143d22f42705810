using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using NATS.Client.Core;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks.Tests;

/// <summary>The server of each peer sees the protocol that the name of the peer promises.</summary>
public sealed class PeerTests
{
    private const int Requests = 100;

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);

    [TestCase("nats/natsnet")]
    [TestCase("nats/natsnet-default")]
    public async Task The_NATS_server_carries_each_request_and_each_reply(string name)
    {
        var monitoring = FreePort.Next();
        await using var server = await NatsServer.StartAsync("-m", $"{monitoring}");
        await using var echo = await StartAsync(name, new("", server.Address));
        var before = await MessagesAsync();
        await EchoAsync(echo);
        Assert.That(await MessagesAsync() - before, Is.EqualTo(2 * Requests));

        async Task<long> MessagesAsync()
        {
            using var http = new HttpClient();
            var figures = JsonDocument.Parse(await http.GetStringAsync($"http://127.0.0.1:{monitoring}/varz"));
            return figures.RootElement.GetProperty("in_msgs").GetInt64();
        }
    }

    // If a later version has another default, docs/performance.md must change.
    [TestCase("nats/natsnet")]
    [TestCase("nats/natsnet-default")]
    public async Task Both_NATS_peers_use_direct_replies_because_these_are_the_default(string name)
    {
        await using var server = await NatsServer.StartAsync();
        await using var echo = await StartAsync(name, new("", server.Address));
        Assert.That(((NatsEcho)echo).Mode, Is.EqualTo(NatsRequestReplyMode.Direct));
    }

    [Test]
    public async Task Redis_carries_each_request_and_each_reply_of_moleculer()
    {
        await using var server = await RedisServer.StartAsync();
        await using var echo = await StartAsync("redis/moleculer", new(server.Address, ""));
        var before = await PublicationsAsync(server);
        await EchoAsync(echo);
        Assert.That(
            await PublicationsAsync(server) - before, Is.InRange(2 * Requests, 3 * Requests), "the publications include heartbeats");
    }

    [Test]
    public async Task The_requests_that_moleculer_measures_pass_through_Redis()
    {
        await using var server = await RedisServer.StartAsync();
        await using var echo = await StartAsync("redis/moleculer", new(server.Address, ""));
        var before = await PublicationsAsync(server);
        var time = TimeSpan.FromSeconds(1);
        var measured = await ((IForeignEcho)echo).MeasureAsync(callers: 8, characters: 3, time, CancellationToken.None).WaitAsync(s_limit);
        var publications = await PublicationsAsync(server) - before;

        // It measures slightly longer than asked, until the last answers have arrived.
        Assert.That(publications / 2.0 / time.TotalSeconds, Is.InRange(measured.RequestsPerSecond, 10 * measured.RequestsPerSecond));
        Assert.That(new[] { measured.P50, measured.P99 - measured.P50, measured.CpuMicroseconds }, Is.All.Positive);
        Assert.That(measured.P50 * measured.RequestsPerSecond, Is.InRange(0.2e6, 2 * 8e6), "8 callers wait most of the time");
    }

    [TestCase("http/resilience-h1", "1.1", "/echo")]
    [TestCase("http/resilience-h2c", "2", "/echo")]
    [TestCase("grpc/unary", "2", "/servicemesh.benchmarks.Echo/Send")]
    public async Task The_server_sees_the_protocol_and_the_route_of_the_peer(string name, string version, string route)
    {
        using var requests = new Recorded("http.server.request.duration");
        await using (var echo = await StartAsync(name, new("", "")))
        {
            await EchoAsync(echo);
        }

        Assert.That(requests.With(("network.protocol.version", version), ("http.route", route)), Is.EqualTo(Requests));
    }

    // Replicas take turns, so one of the first two requests meets the dead replica. More requests would open the circuit breaker.
    [TestCase("http/resilience-h1")]
    [TestCase("http/resilience-h2c")]
    public async Task The_standard_retry_sends_a_refused_request_to_another_replica(string name)
    {
        using var attempts = new Recorded("http.client.request.duration");
        await using var echo = await StartAsync(name, new("", ""), replicas: 2);
        await ((ResilientHttpEcho)echo).StopOneAsync();
        for (var i = 0; i < 2; i++)
        {
            var sent = new Reading("month", i, 0.5);
            Assert.That(await echo.EchoAsync(sent, CancellationToken.None).WaitAsync(s_limit), Is.EqualTo(sent));
        }

        Assert.That(attempts.With(("error.type", "connection_error")), Is.Positive);
    }

    private static Task<IEcho> StartAsync(string name, Brokers brokers, int replicas = 1) =>
        Contestant.All.Single(c => c.Name == name).StartAsync(brokers, replicas);

    private static async Task EchoAsync(IEcho echo)
    {
        using var limit = new CancellationTokenSource(s_limit);
        var running = Enumerable.Range(0, Requests).Select(i => echo.EchoAsync(new("month", i, i / 4.0), limit.Token));
        await Task.WhenAll(running).WaitAsync(limit.Token);
    }

    private static async Task<long> PublicationsAsync(RedisServer server)
    {
        var commands = (string)(await server.CommandAsync("INFO", "commandstats"))!;
        var calls = commands.Split('\n').FirstOrDefault(line => line.StartsWith("cmdstat_publish:calls=", StringComparison.Ordinal));
        return calls is null ? 0 : long.Parse(calls.Split('=', ',')[1]);
    }

    /// <summary>The tags of all measurements of one instrument of this process.</summary>
    private sealed class Recorded : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentBag<KeyValuePair<string, object?>[]> _all = [];

        public Recorded(string name)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == name)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<double>((_, _, tags, _) => _all.Add(tags.ToArray()));
            _listener.Start();
        }

        /// <summary>The number of measurements that have all these tags.</summary>
        public int With(params (string Name, string Value)[] tags) =>
            _all.Count(measured => tags.All(tag => measured.Any(t => t.Key == tag.Name && tag.Value.Equals(t.Value))));

        public void Dispose() => _listener.Dispose();
    }
}
