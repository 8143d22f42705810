using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Timeouts that fire while there is no connection yet: nothing was sent, whichever it was.</summary>
[CancelAfter(30_000)]
public sealed class ConnectingTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public async Task A_plain_request_without_a_connection_goes_elsewhere(CancellationToken cancellationToken)
    {
        await using var silent = await FaultServer.StartAsync(Fault.BlackHoleConnect);
        await using var server = await FaultServer.StartAsync();
        using var services = Services(
            $"static:{silent.Address},{server.Address};priority=1", o => o.Timeouts.Attempt = TimeSpan.FromMilliseconds(700));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        using var response = await http.PostAsync(s_weather, new StringContent("one"), cancellationToken);

        Assert.That((response.IsSuccessStatusCode, server.Executions), Is.EqualTo((true, 1)));
    }

    [Test]
    public async Task A_plain_request_of_the_bus_without_a_connection_goes_elsewhere()
    {
        await using var silent = await FaultServer.StartAsync(Fault.BlackHoleConnect);
        await using var server = await FaultServer.StartAsync();
        await using var caller = await StartAsync(
            null,
            (
                "Http:Services:weather:Address",
                $"static:{silent.Address},{server.Address};priority=1"), ("Http:Services:weather:Topics:test.ask", "/ask"),
            ("Http:Timeouts:Attempt", "00:00:00.7"));

        var reply = await caller.Bus.TryRequestAsync(new RequestTopic<string, FaultServerAnswer>("test.ask"), "one").InTime();

        Assert.That(((int)reply.Status, server.Executions), Is.EqualTo((200, 1)), reply.Failure?.Message);
    }

    [Test]
    public async Task The_failure_names_the_phase_and_the_timeout_that_fired(CancellationToken cancellationToken)
    {
        await using var silent = await FaultServer.StartAsync(Fault.BlackHoleConnect);
        using var services = Services(
            silent.Address, o => (o.Timeouts.ResponseHeaders, o.Timeouts.Attempt, o.Retry.Attempts) = (TimeSpan.FromMilliseconds(
                20), TimeSpan.FromMilliseconds(200), 1));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var failure = await Assert.ThrowsAsync<TaskCanceledException>(() => http.GetAsync(s_weather, cancellationToken));

        var timeout = (PhaseTimeoutException)failure!.InnerException!;
        Assert.That(
            (timeout.Phase, timeout.UnderWay, timeout.Limit),
            Is.EqualTo((TimeoutPhase.Attempt, TimeoutPhase.Connect, TimeSpan.FromMilliseconds(200))));
        Assert.That(timeout.Message, Is.EqualTo($"http://{silent.Address} did not accept a connection within 0.2 s (timeout: Attempt)."));
    }

    [Test]
    public async Task The_total_timeout_names_the_phase_under_way(CancellationToken cancellationToken)
    {
        await using var silent = await FaultServer.StartAsync(Fault.BlackHoleConnect);
        using var services = Services(silent.Address, o => o.Timeouts.Total = TimeSpan.FromMilliseconds(200));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var failure = await Assert.ThrowsAsync<TaskCanceledException>(() => http.PostAsync(s_weather, null, cancellationToken));

        Assert.That(
            failure!.InnerException,
            Has.Property("Phase").EqualTo(TimeoutPhase.Total).And.Property("UnderWay").EqualTo(TimeoutPhase.Connect));
        Assert.That(failure.Message, Does.Contain($"http://{silent.Address}, which had not accepted a connection (timeout: Total)"));
    }

    [Test]
    public async Task A_plain_request_without_headers_in_time_is_not_sent_again(CancellationToken cancellationToken)
    {
        await using var silent = await FaultServer.StartAsync(Fault.BlackHole);
        await using var server = await FaultServer.StartAsync();
        using var services = Services(
            $"static:{silent.Address},{server.Address};priority=1", o => o.Timeouts.ResponseHeaders = TimeSpan.FromMilliseconds(200));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var failure = await Assert.ThrowsAsync<TaskCanceledException>(
            () => http.PostAsync(s_weather, new StringContent("one"), cancellationToken));

        Assert.That(
            failure!.InnerException,
            Has.Property("Phase").EqualTo(TimeoutPhase.ResponseHeaders).And.Property("UnderWay").EqualTo(TimeoutPhase.ResponseHeaders));
        Assert.That((silent.Attempts, server.Attempts), Is.EqualTo((1, 0)));
    }

    private static ClientServices Services(
        string address, Action<HttpTransportOptions> configure) => ServiceMeshHandlerTests.Services([], o =>
    {
        o.Services["weather"].Address = address.StartsWith("static:", StringComparison.Ordinal) ? address : $"static:{address}";
        configure(o);
    });
}
