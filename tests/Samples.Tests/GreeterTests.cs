using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests;

/// <summary>The first service and the first caller of the README, as two processes.</summary>
public sealed class GreeterTests
{
    [Test]
    public async Task The_first_caller_is_greeted_by_the_first_service_over_HTTP()
    {
        var port = FreePort.Next();
        using var service = SampleProcess.Start(
            "Greeter", ["--ServiceMesh:Http:Listen", $"http://127.0.0.1:{port}", "--Logging:Console:LogToStandardErrorThreshold", "Trace"],
            SampleProcess.OutputOf("Greeter"));
        await service.WaitForErrorLineAsync("Application started");

        var caller = await SampleProcess.RunAsync(
            "GreeterClient",
            ["--ServiceMesh:Http:Services:greetings:Address", $"static:127.0.0.1:{port}"],
            SampleProcess.OutputOf("GreeterClient"));
        await service.TerminateAsync();

        Assert.That(caller.Out, Is.EqualTo(["Hello, Pune!"]), caller.ToString);
        Assert.That(caller.ExitCode, Is.Zero);
        Assert.That((await service.EndAsync()).ExitCode, Is.Zero);
    }

    [Test]
    public async Task The_same_two_programs_use_Redis_when_the_configuration_names_it()
    {
        await using var redis = await RedisServer.StartAsync();
        string[] overRedis = ["--ServiceMesh:Transport", "Redis", "--ServiceMesh:Redis:Configuration", redis.Address];
        using var service = SampleProcess.Start(
            "Greeter", [.. overRedis, "--Logging:Console:LogToStandardErrorThreshold", "Trace"], SampleProcess.OutputOf("Greeter"));
        await service.WaitForErrorLineAsync("Application started");

        var caller = await SampleProcess.RunAsync("GreeterClient", overRedis, SampleProcess.OutputOf("GreeterClient"));

        Assert.That(caller.Out, Is.EqualTo(["Hello, Pune!"]), caller.ToString);
        Assert.That(caller.ExitCode, Is.Zero);
    }

    [Test]
    public async Task The_service_writes_its_contracts_and_ends_without_starting()
    {
        using var directory = new TemporaryDirectory();
        var file = Path.Combine(directory.Path, "contracts.json");

        var run = await SampleProcess.RunAsync("Greeter", ["--servicemesh-contracts", file], SampleProcess.OutputOf("Greeter"));

        Assert.That(run.ExitCode, Is.Zero, run.ToString);
        Assert.That(run.Out, Is.EqualTo([$"The contracts are in {file}."]), "nothing has started");
        Assert.That(await File.ReadAllTextAsync(file), Does.Contain("\"asyncapi\": \"3.0.0\"").And.Contain("greetings"));
    }
}
