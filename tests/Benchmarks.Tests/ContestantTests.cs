using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks.Tests;

/// <summary>Every contestant does the work. One that does not would win every comparison.</summary>
public sealed class ContestantTests
{
    private static readonly string[] s_table =
    [
        "inmemory/servicemesh", "inmemory/by-reference", "inmemory/floor", "inmemory/masstransit", "inmemory/wolverine",
        "redis/servicemesh-native", "redis/servicemesh-sealed", "redis/servicemesh-gilmour",
        "redis/bare", "redis/bare-claim", "redis/gilmour-protocol", "redis/moleculer",
        "nats/natsnet", "nats/natsnet-default",
        "http/servicemesh-h1", "http/servicemesh-h2c", "http/bare-h1", "http/bare-h2c", "http/client-h1", "http/client-h2c",
        "http/resilience-h1", "http/resilience-h2c",
        "grpc/unary",
    ];

    private RedisServer _redis = null!;
    private NatsServer _nats = null!;

    private static IEnumerable<string> Names => Contestant.All.Select(c => c.Name);

    private static IEnumerable<string> WithReplicas => Contestant.All.Where(c => c.HasReplicas).Select(c => c.Name);

    [OneTimeSetUp]
    public async Task StartServersAsync() => (_redis, _nats) = (await RedisServer.StartAsync(), await NatsServer.StartAsync());

    [OneTimeTearDown]
    public async Task StopServersAsync()
    {
        await _redis.DisposeAsync();
        await _nats.DisposeAsync();
    }

    [TestCaseSource(nameof(Names))]
    public Task Every_caller_gets_its_own_record_back(string name) => EchoAsync(name, replicas: 1);

    [TestCaseSource(nameof(WithReplicas))]
    public Task Every_caller_gets_its_own_record_back_from_several_replicas(string name) => EchoAsync(name, replicas: 3);

    [TestCaseSource(nameof(WithReplicas))]
    public async Task A_contestant_started_again_on_the_same_server_answers_too(string name)
    {
        await EchoAsync(name, replicas: 1);
        await EchoAsync(name, replicas: 2);
    }

    [Test]
    public void The_contestants_are_those_of_the_table() => Assert.That(Names, Is.EquivalentTo(s_table));

    [Test]
    public void Contestants_are_compared_with_contestants_of_their_heat()
    {
        foreach (var contestant in Contestant.All)
        {
            Assert.That(contestant.Peers, Is.SubsetOf(Contestant.All.Where(c => c.Heat == contestant.Heat).Select(c => c.Name)));
        }
    }

    [Test]
    public void Each_requirement_of_a_contestant_is_met_on_this_machine() =>
        Assert.That(Contestant.All.SelectMany(c => c.Needs).Distinct().Where(need => !need.IsMet()).Select(need => need.Remedy), Is.Empty);

    // All callers wait at once, each for its own answer, so mixed-up answers would be detected.
    private async Task EchoAsync(string name, int replicas)
    {
        var contestant = Contestant.All.Single(c => c.Name == name);
        await using var echo = await contestant.StartAsync(new(_redis.Address, _nats.Address), replicas);
        Reading[] sent = [.. Enumerable.Range(0, 100).Select(i => new Reading($"month-{i}", i, i / 4.0))];
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var answered = await Task.WhenAll(sent.Select(reading => echo.EchoAsync(reading, limit.Token))).WaitAsync(limit.Token);
        Assert.That(answered, Is.EqualTo(sent));
        Assert.That(
            answered.Zip(sent).Select(pair => ReferenceEquals(pair.First, pair.Second)),
            Is.All.EqualTo(!contestant.HasBody),
            "a body makes a new object");
    }
}
