using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks.Tests;

/// <summary>A contestant that does not do the work would win every comparison.</summary>
public sealed class ContestantTests
{
    private static readonly string[] s_table =
    [
        "inmemory/servicemesh", "inmemory/masstransit",
        "redis/servicemesh-native", "redis/servicemesh-gilmour", "redis/bare", "redis/bare-claim", "redis/gilmour-protocol",
        "http/servicemesh-h1", "http/servicemesh-h2c", "http/bare-h1", "http/bare-h2c",
    ];

    private RedisServer _redis = null!;

    private static IEnumerable<string> Names => Contestant.All.Select(c => c.Name);

    private static IEnumerable<string> WithReplicas => Contestant.All.Where(c => c.HasReplicas).Select(c => c.Name);

    [OneTimeSetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [OneTimeTearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [TestCaseSource(nameof(Names))]
    public Task Every_caller_gets_its_own_record_back(string name) => EchoAsync(name, replicas: 1);

    [TestCaseSource(nameof(WithReplicas))]
    public Task Every_caller_gets_its_own_record_back_from_several_replicas(string name) => EchoAsync(name, replicas: 3);

    [TestCaseSource(nameof(WithReplicas))]
    public async Task One_that_is_started_again_on_the_same_server_answers_too(string name)
    {
        await EchoAsync(name, replicas: 1);
        await EchoAsync(name, replicas: 2);
    }

    [Test]
    public void The_contestants_are_those_of_the_table() => Assert.That(Names, Is.EquivalentTo(s_table));

    [Test]
    public void Contestants_are_put_in_relation_to_contestants_of_their_transport()
    {
        foreach (var contestant in Contestant.All)
        {
            Assert.That(contestant.Peers, Is.SubsetOf(Contestant.All.Where(c => c.Transport == contestant.Transport).Select(c => c.Name)));
        }
    }

    // Each waits for its own answer, all at once: answers that were mixed up would show.
    private async Task EchoAsync(string name, int replicas)
    {
        await using var echo = await Contestant.All.Single(c => c.Name == name).StartAsync(new(_redis.Address), replicas);
        Reading[] sent = [.. Enumerable.Range(0, 100).Select(i => new Reading($"month-{i}", i, i / 4.0))];
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var answered = await Task.WhenAll(sent.Select(reading => echo.EchoAsync(reading, limit.Token))).WaitAsync(limit.Token);
        Assert.That(answered, Is.EqualTo(sent));
        Assert.That(answered.Zip(sent), Has.None.Matches<(Reading Answered, Reading Sent)>(pair => ReferenceEquals(pair.Answered, pair.Sent)), "it has been a body on the way");
    }
}
