using ServiceMesh.Support;

namespace ServiceMesh.Samples.Tests;

/// <summary>The samples as several processes that call each other over HTTP: only the command line differs.</summary>
public sealed class HttpTests
{
    private const string License = "/usr/share/common-licenses/GPL-3";

    [Test]
    public async Task Three_servers_of_a_static_list_print_the_same_as_one_process()
    {
        var ports = Ports();
        await CompareAsync(
            "WordCount",
            License,
            ports,
            ["--ServiceMesh:Http:Services:words:Address", $"static:{string.Join(',', ports.Select(p => $"127.0.0.1:{p}"))}"]);
    }

    [Test]
    public async Task Three_servers_of_SRV_records_print_the_same_as_one_process()
    {
        var ports = Ports();
        await using var dns = await DnsServer.StartAsync(
            [
                .. ports.Select(p => $"--srv-host=_mesh._tcp.words.internal,node.internal,{p},0,10"),
                "--host-record=node.internal,127.0.0.1",
                "--local-ttl=5",
            ]);
        await CompareAsync("WordCount", License, ports,
            [
                "--ServiceMesh:Http:Services:words:Address",
                "dns+srv://_mesh._tcp.words.internal",
                "--ServiceMesh:Http:Server:Hosts",
                "node.internal",
                "--ServiceMesh:Http:Dns:Servers",
                $"{dns.EndPoint}",
            ]);
    }

    [Test]
    public async Task Three_servers_of_TXT_records_print_the_same_as_one_process()
    {
        var ports = Ports();
        await using var dns = await DnsServer.StartAsync(
            [.. ports.Select(p => $"--txt-record=words.internal,127.0.0.1:{p}"), "--local-ttl=5"]);
        await CompareAsync("WordCount", License, ports,
            ["--ServiceMesh:Http:Services:words:Address", "dns+txt://words.internal", "--ServiceMesh:Http:Dns:Servers", $"{dns.EndPoint}"]);
    }

    [Test]
    public async Task The_weather_sample_prints_the_same_over_HTTP_as_in_one_process()
    {
        var ports = Ports();
        await CompareAsync(
            "Weather",
            "oslo",
            ports,
            ["--ServiceMesh:Http:Services:weather:Address", $"static:{string.Join(',', ports.Select(p => $"127.0.0.1:{p}"))}"]);
    }

    [Test]
    public async Task A_client_without_a_server_names_the_address_in_one_line()
    {
        var closedPort = FreePort.Next();

        var run = await SampleProcess.RunAsync("WordCount", "any", "--Role", "Client", "--ServiceMesh:Transport", "Http",
            "--ServiceMesh:Http:Services:words:Address", $"static:127.0.0.1:{closedPort}");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.ToString);
        Assert.That(run.OnlyError, Does.Contain("503").And.Contain($"http://127.0.0.1:{closedPort} refuses connections"));
    }

    [TestCase("ServiceMesh:Http:Services:words:Address", "pigeon://loft", "unknown scheme 'pigeon'")]
    [TestCase("ServiceMesh:Http:Listen", "http://0.0.0.0:5080", "ServiceMesh:Http:AllowUnprotected")]
    [TestCase("ServiceMesh:Http:Lisen", "x", "Did you mean 'Listen'?")]
    public async Task A_mistake_in_the_section_is_reported_in_one_line(string key, string value, string expected)
    {
        var run = await SampleProcess.RunAsync("WordCount", "any", "--ServiceMesh:Transport", "Http", $"--{key}", value);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.ToString);
        Assert.That(run.OnlyError, Does.Contain(key).And.Contain(expected));
    }

    private static int[] Ports() => [FreePort.Next(), FreePort.Next(), FreePort.Next()];

    private static async Task CompareAsync(string sample, string argument, int[] ports, string[] settings)
    {
        string[] common = ["--ServiceMesh:Transport", "Http", .. settings];
        var alone = await SampleProcess.RunAsync(sample, argument);
        var servers = ports.Select(port => SampleProcess.Start(
            sample, ["--Role", "Server", "--ServiceMesh:Http:Listen", $"http://127.0.0.1:{port}", .. common])).ToArray();
        try
        {
            await Task.WhenAll(servers.Select(server => server.WaitForErrorLineAsync("serves over Http")));
            var together = await SampleProcess.RunAsync(sample, [argument, "--Role", "Client", .. common]);

            Assert.That(alone.Out, Is.Not.Empty, alone.ToString);
            Assert.That(together.Out, Is.EqualTo(alone.Out), together.ToString);
            Assert.That(together.ExitCode, Is.Zero);
            foreach (var server in servers)
            {
                await server.TerminateAsync();
                Assert.That((await server.EndAsync()).ExitCode, Is.Zero);
            }
        }
        finally
        {
            foreach (var server in servers)
            {
                server.Dispose();
            }
        }
    }
}
