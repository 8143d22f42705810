using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Every instrument of the HTTP client, read after a known number of events.</summary>
[CancelAfter(30_000)]
public sealed class MetricsTests
{
    private const string Service = "servicemesh.service=weather";

    private static readonly string[] s_clients = ["servicemesh.client=bus", "servicemesh.client=http_clients"];
    private static readonly string[] s_states = ["Open", "HalfOpen", "Closed"];
    private static readonly (string, string)[] s_alone =
        [("Services:weather:Balancer", "RoundRobin"), ("CircuitBreaker:MinimumRequestThreshold", "1000000"), ("Ejection:MaxEjected", "0")];

    [TestCase(CallerKind.Bus, Fault.Status500, "broken")]
    [TestCase(CallerKind.HttpClient, Fault.Status500, "broken")]
    [TestCase(CallerKind.Bus, Fault.Refused, "not-sent")]
    [TestCase(CallerKind.HttpClient, Fault.Refused, "not-sent")]
    public async Task Picks_are_counted_by_endpoint_and_retries_by_reason(
        CallerKind kind, Fault fault, string reason, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(fault);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_alone);
        using var metrics = new RecordedMetrics(caller.Services);

        await AskAsync(caller, 30, cancellationToken);

        var broken = metrics.Sum("servicemesh.http.picks", Service, "server.address=127.0.0.1", PortOf(servers.Broken));
        Assert.That(broken, Is.GreaterThanOrEqualTo(10));
        Assert.That(servers.Broken.Attempts, Is.EqualTo(fault == Fault.Refused ? 0 : broken));
        Assert.That(
            servers.Healthy.Select(s => metrics.Sum("servicemesh.http.picks", Service, "server.address=127.0.0.1", PortOf(s))),
            Is.EqualTo(servers.Healthy.Select(s => s.Attempts)));
        Assert.That(metrics.Sum("servicemesh.http.picks"), Is.EqualTo(30 + broken));
        Assert.That(
            (metrics.Sum("servicemesh.http.retries", Service, $"servicemesh.reason={reason}"), metrics.Sum("servicemesh.http.retries")),
            Is.EqualTo((broken, broken)));
    }

    [Test]
    public async Task Hedges_are_counted_as_retries_with_their_own_reason([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All, [.. s_alone, ("Retry:HedgeAfter", "00:00:00.05"), ("Timeouts:Attempt", "00:00:10")]);
        using var metrics = new RecordedMetrics(caller.Services);

        await AskAsync(caller, 9, cancellationToken);

        Assert.That(servers.Broken.Attempts, Is.GreaterThanOrEqualTo(3));
        Assert.That(metrics.Sum("servicemesh.http.retries", Service, "servicemesh.reason=hedge"), Is.EqualTo(servers.Log.Attempts - 9));
        Assert.That(metrics.Sum("servicemesh.http.retries"), Is.EqualTo(servers.Log.Attempts - 9));
    }

    [Test]
    public async Task The_remaining_budget_is_measured_and_an_empty_budget_is_a_reason(
        [Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var caller = await Caller.StartAsync(
            kind, [server],
            [
                .. s_alone,
                ("Retry:Attempts", "2"),
                ("RetryBudget:Ratio", "0.25"),
                ("RetryBudget:PerSecond", "0.05"),
                (Caller.BudgetWindow, "00:01:00"),
            ]);
        using var metrics = new RecordedMetrics(caller.Services);
        var client = $"{Service} servicemesh.client={(kind == CallerKind.Bus ? "bus" : "http_clients")}";
        await AskAsync(caller, 4, cancellationToken);
        Assert.That(Budget(), Is.EqualTo((3 + 1.0, client)), "a fixed part of three, and a quarter of four requests");

        server.Fault = Fault.Status500;
        await AskAsync(caller, 4, cancellationToken);
        Assert.That(Budget(), Is.EqualTo((3 + 2 - 4.0, client)), "each of the four was sent once more");
        await AskAsync(caller, 4, cancellationToken);

        // One retry is left, and each of the four requests adds a quarter: a second retry is allowed only with the last one.
        var retries = metrics.Sum("servicemesh.http.retries", Service, "servicemesh.reason=broken");
        Assert.That((retries, Budget().Value), Is.EqualTo((6.0, 0.0)));
        Assert.That(metrics.Sum("servicemesh.http.retries", Service, "servicemesh.reason=budget-empty"), Is.EqualTo(8 - retries));

        (double Value, string Tags) Budget() => metrics.Observe("servicemesh.http.retry_budget").Select(m => (m.Value, m.Tags)).Single();
    }

    [Test]
    public async Task Transitions_of_circuits_are_counted_by_the_new_state([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var caller = await Caller.StartAsync(kind, [server]);
        using var metrics = new RecordedMetrics(caller.Services);
        var endpoint = await EndpointAsync(caller, cancellationToken);

        endpoint.Breaker.Open(TimeSpan.FromMilliseconds(1));
        while (!(await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess)
        {
            // The trial has not been sent yet.
        }

        endpoint.Breaker.Open();
        Assert.That(
            s_states.Select(state => metrics.Sum(
                "servicemesh.http.circuit_breaker.transitions",
                Service,
                "server.address=127.0.0.1",
                PortOf(server),
                $"servicemesh.circuit.state={state}")),
            Is.EqualTo([2.0, 1.0, 1.0]));
    }

    [Test]
    public async Task Ejections_are_counted_by_reason([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            [
                ("Services:weather:Balancer", "RoundRobin"),
                ("CircuitBreaker:MinimumRequestThreshold", "1000000"),
                ("Ejection:ConsecutiveFailures", "3"),
                ("Ejection:EjectionTime", "00:10:00"),
                (Caller.MaxEjectionTime, "00:10:00"),
            ]);
        using var metrics = new RecordedMetrics(caller.Services);

        await AskAsync(caller, 30, cancellationToken);

        Assert.That(servers.Broken.Attempts, Is.EqualTo(3));
        Assert.That(
            metrics.Sum(
                "servicemesh.http.ejections",
                Service,
                "server.address=127.0.0.1",
                PortOf(servers.Broken),
                "servicemesh.reason=ConsecutiveFailures"),
            Is.EqualTo(1));
        Assert.That(metrics.Sum("servicemesh.http.ejections"), Is.EqualTo(1));
    }

    [Test]
    public async Task Refusals_are_counted_by_reason([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var caller = await Caller.StartAsync(kind, [server], ("Limits:Concurrency", "1"), ("Retry:Attempts", "1"));
        using var metrics = new RecordedMetrics(caller.Services);
        var endpoint = await EndpointAsync(caller, cancellationToken);

        // The one request that the limit allows is in flight.
        server.Fault = Fault.SlowHeaders;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = caller.AskAsync(isIdempotent: true, patience.Token);
        Assert.That(() => server.Executions, Is.EqualTo(2).After(10_000, 5));
        await AskAsync(caller, 2, cancellationToken);
        await patience.CancelAsync();
        await Task.WhenAny(waiting); // another test checks how the caller learns of the cancellation
        Assert.That(Refused("client-limit"), Is.EqualTo(2));

        // No endpoint is available.
        server.Fault = Fault.None;
        endpoint.Breaker.Open();
        await AskAsync(caller, 3, cancellationToken);
        Assert.That(Refused("no-endpoint"), Is.EqualTo(3));

        // The circuit opens between the choice, which is measured, and the attempt.
        endpoint.Breaker.Close();
        using (OnPick(caller, () => endpoint.Breaker.Open()))
        {
            await AskAsync(caller, 1, cancellationToken);
        }

        Assert.That((Refused("circuit-open"), metrics.Sum("servicemesh.http.refused")), Is.EqualTo((1.0, 6.0)));
        Assert.That(server.Attempts, Is.EqualTo(2), "no refused request was sent");

        double Refused(string reason) => metrics.Sum("servicemesh.http.refused", Service, $"servicemesh.reason={reason}");
    }

    [Test]
    public async Task Discovery_measures_endpoints_and_age_for_each_client(CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.None);
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport(),
            [
                ("Transport", "Http"),
                ("Http:Services:weather:Address", $"static:{string.Join(',', servers.All.Select(s => s.Address))}"),
                ("Http:Services:weather:Topics:weather.ask", "/ask"),
            ],
            services => services.AddHttpClient("weather").AddServiceMesh());
        using var metrics = new RecordedMetrics(node.Services);
        var http = node.Services.GetRequiredService<IHttpClientFactory>().CreateClient("weather");
        (await http.GetAsync(new Uri("http://weather/ask"), cancellationToken)).Dispose();

        string[] both = [.. s_clients.Select(c => $"{Service} {c}")];
        Assert.That(
            metrics.Observe("servicemesh.discovery.endpoints").Select(m => (m.Tags, m.Value)), Is.EquivalentTo(both.Select(b => (b, 3.0))));
        Assert.That(metrics.Observe("servicemesh.discovery.age").Select(m => m.Tags), Is.EquivalentTo(both));
        Assert.That(metrics.Of("servicemesh.discovery.age").Select(m => m.Value), Has.All.InRange(0, 30));
        Assert.That(metrics.Observe("servicemesh.http.retry_budget").Select(m => m.Tags), Is.EquivalentTo(both));
    }

    // The instruments are created, and so published, on this thread.
    [Test]
    public void Disposing_a_handler_without_a_container_ends_its_instruments()
    {
        var (thread, own, ended) = (Environment.CurrentManagedThreadId, new List<string>(), new List<string>());
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter is { Name: "ServiceMesh", Scope: null }
                    && Environment.CurrentManagedThreadId == thread
                    && own is not null)
                {
                    own.Add(instrument.Name);
                    listener.EnableMeasurementEvents(instrument, ended);
                }
            },
            MeasurementsCompleted = (instrument, state) => (state as List<string>)?.Add(instrument.Name),
        };
        listener.Start();
        own.Clear(); // instruments that existed before

        var options = new HttpTransportOptions();
        options.Services["weather"] = new() { Address = "static:127.0.0.1:1" };
        var handler = new ServiceMeshHandler(options);
        Assert.That(own, Is.SupersetOf(["servicemesh.http.retry_budget", "servicemesh.http.picks", "servicemesh.discovery.endpoints"]));
        handler.Dispose();
        Assert.That(ended, Is.SupersetOf(own));
    }

    private static MeterListener OnPick(Caller caller, Action then)
    {
        var factory = caller.Services.GetRequiredService<IMeterFactory>();
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "servicemesh.http.picks" && ReferenceEquals(instrument.Meter.Scope, factory))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => then());
        listener.Start();
        return listener;
    }

    private static async Task<Endpoint> EndpointAsync(Caller caller, CancellationToken cancellationToken)
    {
        await AskAsync(caller, 1, cancellationToken); // an HttpClient resolves addresses with its first request
        return caller.Services.GetRequiredService<ServiceEndpoints>().Of("weather").Single();
    }

    private static async Task AskAsync(Caller caller, int times, CancellationToken cancellationToken)
    {
        for (var i = 0; i < times; i++)
        {
            await caller.AskAsync(isIdempotent: true, cancellationToken);
        }
    }

    private static string PortOf(FaultServer server) => string.Create(CultureInfo.InvariantCulture, $"server.port={server.Port}");
}
