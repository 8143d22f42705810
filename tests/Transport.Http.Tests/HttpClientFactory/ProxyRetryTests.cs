using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// How often a request runs whose servers execute it and then break the connection, behind a real proxy. The mesh adds nothing to what the
/// proxy itself repeats.
/// </summary>
public sealed class ProxyRetryTests
{
    private const string RetriesAll = "retry-on all-retryable-errors";

    [TestCase("nginx", "", "POST", 1)]
    [TestCase("haproxy", "", "POST", 1)]
    [TestCase("haproxy", RetriesAll, "POST", 4)]
    [TestCase("haproxy", RetriesAll + "\n    http-request disable-l7-retry if METH_POST", "POST", 1)]
    [TestCase("nginx", "", "GET", 2)]
    [CancelAfter(60_000)]
    public async Task A_request_runs_as_often_as_the_proxy_sends_it(
        string kind, string setting, string method, int executions, CancellationToken cancellationToken)
    {
        var log = new ExecutionLog();
        await using var one = await FaultServer.StartAsync(Fault.ResetBeforeAnswer, log);
        await using var two = await FaultServer.StartAsync(Fault.ResetBeforeAnswer, log);
        var front = FreePort.Next();
        await using var proxy = kind == "nginx"
            ? await ProxyServer.StartNginxWithDefaultsAsync(front, one.Port, two.Port)
            : await ProxyServer.StartHaproxyWithDefaultsAsync(front, setting, one.Port, two.Port);
        using var http = new HttpClient(new ServiceMeshHandler(new HttpTransportOptions
        {
            Retry = { Attempts = method == "GET" ? 1 : 3 },
            Services = { ["weather"] = new() { Address = string.Create(CultureInfo.InvariantCulture, $"static:127.0.0.1:{front}") } },
        }));
        using var request = new HttpRequestMessage(new(method), "http://weather/once")
        {
            Content = method == "POST" ? new StringContent("pune") : null,
        };

        using var response = await http.SendAsync(request, cancellationToken);

        Assert.That((int)response.StatusCode, Is.EqualTo(502));
        Assert.That(log.Executions, Is.EqualTo(executions));
    }
}
