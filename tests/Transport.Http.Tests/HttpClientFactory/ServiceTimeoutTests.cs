using Microsoft.Extensions.Configuration;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Timeouts of one service: before those for all services, and after those of the request.</summary>
public sealed class ServiceTimeoutTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public void A_service_has_its_own_timeouts_and_the_others_of_all_services()
    {
        var options = Read(
            ("Timeouts:Attempt", "00:00:05"), ("Timeouts:Idle", "00:00:40"), ("Timeouts:Connect", "00:00:01"),
            ("Services:slow:Timeouts:Attempt", "00:01:00"), ("Services:slow:Timeouts:Total", "00:02:00"),
            ("Services:slow:Timeouts:ResponseHeaders", "00:00:50"), ("Services:slow:Timeouts:Connect", "00:00:02"));

        var (slow, other) = (options.CallsOf(options.Services["slow"]), options.CallsOf(new()));

        Assert.That(
            (slow.AttemptTimeout, slow.Total, slow.HeadersTimeout, slow.Idle, slow.Connect),
            Is.EqualTo(((TimeSpan?)Seconds(60), Seconds(120), (TimeSpan?)Seconds(50), Seconds(40), Seconds(2))));
        Assert.That(
            (other.AttemptTimeout, other.Total, other.HeadersTimeout, other.Idle, other.Connect),
            Is.EqualTo(((TimeSpan?)Seconds(5), Seconds(30), (TimeSpan?)null, Seconds(40), Seconds(1))));
    }

    [TestCase(TimeoutPhase.Total)]
    [TestCase(TimeoutPhase.Attempt)]
    [TestCase(TimeoutPhase.ResponseHeaders)]
    [CancelAfter(60_000)]
    public async Task A_silent_server_ends_a_request_after_the_timeout_of_its_service(
        TimeoutPhase phase, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);
        var limit = TimeSpan.FromMilliseconds(200);
        using var services = ServiceMeshHandlerTests.Services([server], options =>
        {
            var own = options.Services["weather"];
            own.Retry.Attempts = 1;
            own.Timeouts = phase switch
            {
                TimeoutPhase.Total => new() { Total = limit },
                TimeoutPhase.Attempt => new() { Attempt = limit },
                _ => new() { ResponseHeaders = limit },
            };
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var failure = await Assert.CatchAsync<TaskCanceledException>(() => http.GetAsync(s_weather, cancellationToken));

        var timeout = PhaseTimeoutException.In(failure);
        Assert.That((timeout?.Phase, timeout?.Limit), Is.EqualTo((phase, limit)));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_silent_body_ends_after_the_timeout_of_its_service(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowBody);
        server.Pause = TimeSpan.FromSeconds(30);
        var limit = TimeSpan.FromMilliseconds(200);
        using var services = ServiceMeshHandlerTests.Services([server], options =>
        {
            options.HttpClients.ReadAhead = 0;
            options.Services["weather"].Timeouts.Idle = limit;
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var failure = await Assert.CatchAsync<Exception>(
            () => http.GetByteArrayAsync(new Uri(s_weather, "bytes/1000"), cancellationToken));

        var timeout = PhaseTimeoutException.In(failure);
        Assert.That((timeout?.Phase, timeout?.Limit), Is.EqualTo((TimeoutPhase.Idle, limit)));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_request_may_have_more_time_than_its_service(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);
        using var services = ServiceMeshHandlerTests.Services(
            [server], options => options.Services["weather"].Timeouts.Total = Seconds(60));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Post, s_weather).SetTotalTimeout(TimeSpan.FromMilliseconds(150));

        var failure = await Assert.CatchAsync<TaskCanceledException>(() => http.SendAsync(request, cancellationToken));

        Assert.That(PhaseTimeoutException.In(failure)?.Limit, Is.EqualTo(TimeSpan.FromMilliseconds(150)));
    }

    [TestCase(
        "Services:slow:Timeouts:Attempt is 00:00:40, and ServiceMesh:Http:Timeouts:Total is 00:00:30;",
        "Services:slow:Timeouts:Attempt=40")]
    [TestCase(
        "Timeouts:Attempt is 00:00:20, and ServiceMesh:Http:Services:slow:Timeouts:Total is 00:00:10;", "Timeouts:Attempt=20",
        "Services:slow:Timeouts:Total=10")]
    [TestCase(
        "Services:slow:Timeouts:Connect is 00:00:05, and ServiceMesh:Http:Timeouts:Attempt is 00:00:04;", "Timeouts:Attempt=4",
        "Services:slow:Timeouts:Connect=5")]
    [TestCase(
        "Services:slow:Timeouts:ResponseHeaders is 00:00:09, and ServiceMesh:Http:Services:slow:Timeouts:Attempt is 00:00:08;",
        "Services:slow:Timeouts:ResponseHeaders=9", "Services:slow:Timeouts:Attempt=8")]
    public void Timeouts_of_a_service_that_contradict_are_refused_with_both_keys(string says, params string[] settings)
    {
        var options = Read([.. settings.Select(s => s.Split('=')).Select(s => (s[0], $"00:00:{s[1]}"))]);

        Assert.That(HttpOptionsRules.Problems(options, null), Has.Exactly(1).StartsWith($"ServiceMesh:Http:{says}"));
    }

    [Test]
    public void Timeouts_of_a_service_that_extend_those_of_all_services_are_accepted() => Assert.That(
        HttpOptionsRules.Problems(
            Read(("Services:slow:Timeouts:Attempt", "00:01:00"), ("Services:slow:Timeouts:Total", "00:02:00")), null),
        Is.Empty);

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private static HttpTransportOptions Read(params (string Key, string Value)[] settings)
    {
        var options = new HttpTransportOptions();
        new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Append(("Services:slow:Address", "static:127.0.0.1:1"))
                .Select(s => KeyValuePair.Create<string, string?>(s.Item1, s.Item2)))
            .Build().Bind(options);
        return options;
    }
}
