using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests;

/// <summary>The samples as several processes with a real Redis between them: only the command line differs.</summary>
[TestFixture("Native")]
[TestFixture("Gilmour")]
public sealed class RedisTests(string wire)
{
    private RedisServer _redis = null!;

    [OneTimeSetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [OneTimeTearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [TestCase("WordCount", "/usr/share/common-licenses/GPL-3")]
    [TestCase("Weather", "oslo")]
    public async Task Two_servers_and_a_client_print_the_same_as_one_process(string sample, string argument)
    {
        var alone = await SampleProcess.RunAsync(sample, argument);
        using var first = await ServerAsync(sample);
        using var second = await ServerAsync(sample);

        var together = await ClientAsync(sample, argument);
        await first.TerminateAsync();
        var stopped = await first.EndAsync();
        var withOne = await ClientAsync(sample, argument);
        await second.TerminateAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(alone.Out, Has.Length.EqualTo(sample == "WordCount" ? 3 : 4), alone.ToString);
            Assert.That(together.Out, Is.EqualTo(alone.Out), together.ToString);
            // Unless the machine is so busy that its thread pool was watched to be blocked.
            Assert.That(
                together.Error.Where(line => !line.Contains("threads of the pool", StringComparison.Ordinal)), Is.Empty,
                "a client has no handlers, so it receives no log lines");
            Assert.That(stopped.ExitCode, Is.Zero, stopped.ToString);
            Assert.That(withOne.Out, Is.EqualTo(alone.Out), withOne.ToString);
            Assert.That((await second.EndAsync()).ExitCode, Is.Zero);
        }
    }

    [Test]
    public async Task A_client_without_a_server_reports_404_in_one_line()
    {
        var run = await ClientAsync("WordCount", "any");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("404").And.Contain("No node handles 'example.fetch'"));
    }

    [Test]
    public async Task A_sample_without_Redis_names_the_address_and_its_key_in_one_line()
    {
        var closedAddress = $"127.0.0.1:{FreePort.Next()}";

        var run = await SampleProcess.RunAsync("WordCount", "any", "--ServiceMesh:Transport", "Redis",
            "--ServiceMesh:Redis:Configuration", closedAddress, "--ServiceMesh:Redis:ConnectTimeout", "00:00:02");

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.OnlyError, Does.Contain(closedAddress).And.Contain("ServiceMesh:Redis:Configuration"));
    }

    private async Task<SampleProcess> ServerAsync(string sample)
    {
        var server = SampleProcess.Start(sample, ["--Role", "Server", .. OverRedis()]);
        await server.WaitForErrorLineAsync("serves over Redis");
        return server;
    }

    private Task<Run> ClientAsync(string sample, string argument) =>
        SampleProcess.RunAsync(sample, [argument, "--Role", "Client", .. OverRedis()]);

    private string[] OverRedis() =>
        ["--ServiceMesh:Transport", "Redis", "--ServiceMesh:Redis:Configuration", _redis.Address, "--ServiceMesh:Redis:Wire", wire];
}
