using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests;

/// <summary>The word count over the Redis server that the sample brings, with nothing installed.</summary>
public sealed class OwnRedisTests
{
    [Test]
    public async Task The_word_count_runs_over_the_Redis_that_it_brings()
    {
        const string Document = "/usr/share/common-licenses/GPL-3";
        string[] over = ["--ServiceMesh:Transport", "Redis", "--ServiceMesh:Redis:Configuration", $"127.0.0.1:{FreePort.Next()}"];
        using var redis = SampleProcess.Start("WordCount", ["--Role", "Redis", .. over]);
        await redis.WaitForErrorLineAsync("A Redis server listens on");
        using var server = SampleProcess.Start("WordCount", ["--Role", "Server", .. over]);
        await server.WaitForErrorLineAsync("serves over Redis");

        var run = await SampleProcess.RunAsync("WordCount", [Document, "--Role", "Client", .. over]);

        Assert.That(run.Out, Is.EqualTo((await SampleProcess.RunAsync("WordCount", Document)).Out), run.ToString);
        await server.TerminateAsync();
        Assert.That((await server.EndAsync()).ExitCode, Is.Zero);
        await redis.TerminateAsync();
        Assert.That((await redis.EndAsync()).ExitCode, Is.Zero);
    }

    [Test]
    public async Task A_port_that_is_taken_is_named_in_one_line()
    {
        await using var taken = await RedisServer.StartAsync();

        var run = await SampleProcess.RunAsync("WordCount", "--Role", "Redis", "--ServiceMesh:Redis:Configuration", taken.Address);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.OnlyError, Does.Contain(taken.Address).And.Contain("in use"));
    }

    [TestCase("redis.example.com:6379")]
    [TestCase("127.0.0.1:x")]
    public async Task An_address_of_another_machine_is_refused(string address)
    {
        var run = await SampleProcess.RunAsync("WordCount", "--Role", "Redis", "--ServiceMesh:Redis:Configuration", address);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("ServiceMesh:Redis:Configuration").And.Contain("localhost:PORT"));
    }

    [Test]
    public async Task A_sample_without_a_Redis_of_its_own_does_not_have_that_role()
    {
        var run = await SampleProcess.RunAsync("Weather", "--Role", "Redis");

        Assert.That(run.OnlyError, Does.Contain("allowed are: All, Server, Client."));
    }
}
