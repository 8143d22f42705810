using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>What one HttpClient says itself: which answers are sent again, which are failures, and how long they may take.</summary>
[CancelAfter(60_000)]
public sealed class ClientJudgementTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public async Task A_client_decides_which_answers_are_sent_again(CancellationToken cancellationToken)
    {
        await using var missing = await StartAsync(404);
        await using var found = await StartAsync(200);
        using var handler = Handler(missing, found, new() { RetryOn = answer => answer.StatusCode == HttpStatusCode.NotFound });
        using var http = new HttpClient(handler);

        using var repeatable = await http.GetAsync(s_weather, cancellationToken);
        using var plain = await http.PostAsync(s_weather, null, cancellationToken);
        using var own = new HttpRequestMessage(HttpMethod.Get, s_weather).SetRetry(new() { RetryOn = _ => false });
        using var ofRequest = await http.SendAsync(own, cancellationToken);

        Assert.That(
            (repeatable.StatusCode, plain.StatusCode, ofRequest.StatusCode),
            Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.NotFound)));
    }

    [Test]
    public async Task A_client_decides_that_an_answer_is_not_sent_again(CancellationToken cancellationToken)
    {
        await using var broken = await StartAsync(503);
        await using var found = await StartAsync(200);
        using var http = new HttpClient(Handler(broken, found, new() { RetryOn = _ => false }));

        using var answer = await http.GetAsync(s_weather, cancellationToken);

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
    }

    [TestCase(404, true)]
    [TestCase(503, false)]
    public async Task A_client_decides_which_answers_are_failures_of_their_server(
        int status, bool isFailed, CancellationToken cancellationToken)
    {
        await using var server = await StartAsync(status);
        await using var other = await StartAsync(200);
        var options = Options(server, other);
        (options.CircuitBreaker.MinimumRequestThreshold, options.Retry.Attempts) = (1, 1);
        using var services = new ClientServices(
            options, null, null, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, TimeProvider.System);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false)
        {
            Client = new() { IsFailed = answer => answer.StatusCode == HttpStatusCode.NotFound },
        });

        using var answer = await http.GetAsync(s_weather, cancellationToken);

        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
        Assert.That(services.Find(s_weather)!.Group.Endpoints.Single(e => e.Address.Priority == 0).LastFailed, Is.EqualTo(isFailed));
    }

    [TestCase(TimeoutPhase.Total)]
    [TestCase(TimeoutPhase.Attempt)]
    public async Task A_client_has_timeouts_of_its_own(TimeoutPhase phase, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromMilliseconds(200);
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);
        using var services = ServiceMeshHandlerTests.Services([server], options => options.Retry.Attempts = 1);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false)
        {
            Client = phase == TimeoutPhase.Total ? new() { TotalTimeout = limit } : new() { AttemptTimeout = limit },
        });

        var failure = await Assert.CatchAsync<TaskCanceledException>(() => http.GetAsync(s_weather, cancellationToken));

        var timeout = PhaseTimeoutException.In(failure);
        Assert.That((timeout?.Phase, timeout?.Limit), Is.EqualTo((phase, limit)));
    }

    [Test]
    public void A_timeout_of_a_client_outside_the_range_is_refused([Values(0, -1, 86_401)] int seconds) => Assert.That(
        () => new ServiceMeshClientOptions { TotalTimeout = TimeSpan.FromSeconds(seconds) },
        Throws.TypeOf<ArgumentOutOfRangeException>());

    [Test]
    public async Task The_options_of_one_client_do_not_reach_another(CancellationToken cancellationToken)
    {
        await using var missing = await StartAsync(404);
        await using var found = await StartAsync(200);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(
        [
            new("ServiceMesh:Http:Services:weather:Address", $"static:{AddressOf(missing)},{AddressOf(found)};priority=1"),
        ]);
        builder.Services.AddHttpClient("special").AddServiceMesh()
            .ConfigureServiceMesh(client => client.RetryOn = answer => answer.StatusCode == HttpStatusCode.NotFound);
        builder.Services.AddHttpClient("usual").AddServiceMesh();
        builder.Services.ConfigureHttpClientDefaults(all => all.ConfigureServiceMesh(client => client.RetryOn = _ => false));
        using var host = builder.Build();
        var clients = host.Services.GetRequiredService<IHttpClientFactory>();

        using var special = await clients.CreateClient("special").GetAsync(s_weather, cancellationToken);
        using var usual = await clients.CreateClient("usual").GetAsync(s_weather, cancellationToken);

        Assert.That((special.StatusCode, usual.StatusCode), Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.NotFound)));
    }

    private static ServiceMeshHandler Handler(WebApplication first, WebApplication second, ServiceMeshClientOptions client) =>
        new(Options(first, second)) { Client = client };

    private static HttpTransportOptions Options(WebApplication first, WebApplication second) => new()
    {
        Services = { ["weather"] = new() { Address = $"static:{AddressOf(first)},{AddressOf(second)};priority=1" } },
    };

    private static string AddressOf(WebApplication server) => new Uri(server.Urls.Single()).Authority;

    private static async Task<WebApplication> StartAsync(int status)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        app.Run(http =>
        {
            http.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        await app.StartAsync();
        return app;
    }
}
