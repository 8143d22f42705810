using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>What cannot work is refused at start, with the key, what it is, and what is allowed.</summary>
public sealed class OptionsTests
{
    [TestCase("Http:Listen", "http://example.com:80", "Http:Listen", "localhost, an IP address or '*'")]
    [TestCase("Http:Listen", "ftp://127.0.0.1:80", "Http:Listen", "http://, https:// or h2c://")]
    [TestCase("Http:Listen", "http://127.0.0.1", "Http:Listen", "':' with a port")]
    [TestCase("Http:Listen", "http://0.0.0.0:5080", "Http:Listen is 'http://0.0.0.0:5080'", "ServiceMesh:Http:AllowUnprotected")]
    [TestCase("Http:Listen", "http://*:5080", "Http:Listen is 'http://*:5080'", "ServiceMesh:Http:Token")]
    [TestCase("Http:Listen", "https://127.0.0.1:5443", "Http:Tls:Certificate is missing", "https")]
    [TestCase("Http:Token", "short", "Http:Token has 5 characters", "16")]
    [TestCase("Http:Token", "a secret of 16 characters or more", "Http:Token has the character U+0020", "visible ASCII")]
    [TestCase("Http:Token", "ein-Geheimnis-für-alle-Knoten", "Http:Token has the character U+00FC", "visible ASCII")]
    [TestCase("Http:Services:weather:Address", "carrier-pigeon://loft", "Http:Services:weather:Address", "unknown scheme 'carrier-pigeon'")]
    [TestCase("Http:Services:weather:Address", "static:10.0.0.1", "Http:Services:weather:Address", "'10.0.0.1' has no port")]
    [TestCase("Http:Services:weather:Balancer", "Dice", "Http:Services:weather:Balancer is 'Dice'", "PowerOfTwoChoices")]
    [TestCase("Http:Health:Interval", "00:00:00", "Http:Health:Interval is 00:00:00", "00:00:00.1 to 00:01:00")]
    [TestCase("Http:Timeouts:Connect", "01:00:00", "Http:Timeouts:Connect is 01:00:00", "00:01:00")]
    [TestCase("Http:Timeouts:Tls", "00:00:00", "Http:Timeouts:Tls is 00:00:00", "00:01:00")]
    [TestCase("Http:Timeouts:Idle", "2.00:00:00", "Http:Timeouts:Idle is 2.00:00:00", "1.00:00:00")]
    [TestCase(
        "Http:Timeouts:Attempt",
        "00:01:00",
        "Http:Timeouts:Attempt is 00:01:00",
        "ServiceMesh:Request:Timeout is 00:00:30; the first must not be more")]
    [TestCase("Http:Timeouts:ResponseHeaders", "00:01:00", "Http:Timeouts:ResponseHeaders is 00:01:00", "ServiceMesh:Request:Timeout")]
    [TestCase("Http:Timeouts:Idle", "00:00:00", "Http:Timeouts:Idle is 00:00:00", "00:00:00.001 to 1.00:00:00")]
    [TestCase("Http:Timeouts:Idle", "-00:00:01", "Http:Timeouts:Idle is -00:00:01", "00:00:00.001 to 1.00:00:00")]
    [TestCase("Http:Timeouts:Attempt", "-00:00:01", "Http:Timeouts:Attempt is -00:00:01", "00:00:00.001 to 1.00:00:00")]
    [TestCase("Http:Timeouts:Connect", "5", "Http:Timeouts:Connect is '5'", "which is 5 days. Did you mean 00:00:05?")]
    [TestCase("Http:Services:weather:Retry:Backoff", "5", "Http:Services:weather:Retry:Backoff is '5'", "Did you mean 00:00:05?")]
    [TestCase("Http:Retry:Attempts", "0", "Http:Retry:Attempts is 0", "1 to 10")]
    [TestCase(
        "Http:Retry:Backoff",
        "00:00:02",
        "Http:Retry:Backoff is 00:00:02",
        "ServiceMesh:Http:Retry:MaxBackoff is 00:00:01; the first must not be more")]
    [TestCase(
        "Http:Retry:MaxBackoff",
        "00:00:00",
        "Http:Retry:Backoff is 00:00:00.0250000",
        "ServiceMesh:Http:Retry:MaxBackoff is 00:00:00; the first must not be more")]
    [TestCase("Http:Retry:HedgeAfter", "00:00:10", "Http:Retry:HedgeAfter is 00:00:10", "an attempt may take 00:00:10")]
    [TestCase("Http:Services:weather:Retry:Attempts", "11", "Http:Services:weather:Retry:Attempts is 11", "1 to 10")]
    [TestCase("Http:RetryBudget:Ratio", "1.5", "Http:RetryBudget:Ratio is 1.5", "0 to 1")]
    [TestCase("Http:RetryBudget:PerSecond", "-1", "Http:RetryBudget:PerSecond is -1", "0 to 10000")]
    [TestCase("Http:RetryBudget:Window", "00:00:10", "Http:RetryBudget:Window is not a known key", "Known here are: Ratio, PerSecond")]
    [TestCase("Http:Limits:Concurrency", "0", "Http:Limits:Concurrency is 0", "1 to 1000000")]
    [TestCase(
        "Http:Limits:ConcurrencyPerEndpoint",
        "20000",
        "Http:Limits:ConcurrencyPerEndpoint is 20000",
        "ServiceMesh:Http:Limits:Concurrency is 16384; the first must not be more")]
    [TestCase("Http:Dns:Servers", "ns.internal", "Http:Dns:Servers", "'ns.internal' is not an IP address")]
    [TestCase("Http:Lisen", "x", "Http:Lisen is not a known key", "Did you mean 'Listen'?")]
    [TestCase("Http:Services:weather:Adress", "x", "Http:Services:weather:Adress is not a known key", "Did you mean 'Address'?")]
    public async Task An_invalid_option_is_refused_with_its_key(string key, string value, string names, string says)
    {
        var service = key.StartsWith("Http:Services", StringComparison.Ordinal) && !key.EndsWith("Address", StringComparison.Ordinal)
            ? [Service("weather", 5080)]
            : Array.Empty<(string, string)>();

        var refusal = await RefusalAsync([.. service, (key, value)]);

        Assert.That(refusal, Does.Contain($"ServiceMesh:{names}").And.Contain(says));
    }

    [TestCase(
        "Timeouts:Connect and ServiceMesh:Http:Timeouts:Tls together is 00:00:03",
        "Timeouts:Attempt is 00:00:02;",
        "Timeouts:Connect=00:00:01",
        "Timeouts:Tls=00:00:02",
        "Timeouts:Attempt=00:00:02")]
    [TestCase(
        "Timeouts:Connect is 00:00:03",
        "Timeouts:Attempt is 00:00:02; the first must not be more",
        "Timeouts:Connect=00:00:03",
        "Timeouts:Attempt=00:00:02")]
    [TestCase(
        "Timeouts:Tls is 00:00:03",
        "Timeouts:Attempt is 00:00:02; the first must not be more",
        "Timeouts:Tls=00:00:03",
        "Timeouts:Attempt=00:00:02")]
    [TestCase(
        "Retry:HedgeAfter is 00:00:01", "Retry:Attempts is 1; a hedge is an attempt", "Retry:HedgeAfter=00:00:01", "Retry:Attempts=1")]
    [TestCase(
        "Services:weather:Retry:HedgeAfter is 00:00:01",
        "a hedge is an attempt",
        "Services:weather:Retry:HedgeAfter=00:00:01",
        "Retry:Attempts=1")]
    [TestCase(
        "Retry:HedgeAfter is 00:00:02",
        "may take 00:00:01 (ServiceMesh:Http:Timeouts:ResponseHeaders)",
        "Retry:HedgeAfter=00:00:02",
        "Timeouts:ResponseHeaders=00:00:01")]
    public async Task Contradicting_options_are_refused_with_both_keys(string names, string says, params string[] settings)
    {
        var refusal = await RefusalAsync([Service("weather", 5080), .. settings.Select(s => ($"Http:{s.Split('=')[0]}", s.Split('=')[1]))]);

        Assert.That(refusal, Does.Contain($"ServiceMesh:Http:{names}").And.Contain(says));
    }

    // A request of the bus brings its own time, and Timeouts:Total is for HttpClients.
    [TestCase(
        "Timeouts:Attempt",
        "20",
        5,
        "ServiceMesh:Http:Timeouts:Attempt is 00:00:20, and ServiceMesh:Request:Timeout is 00:00:05; the first must not be more.")]
    [TestCase(
        "Timeouts:ResponseHeaders",
        "20",
        5,
        "ServiceMesh:Http:Timeouts:ResponseHeaders is 00:00:20, and ServiceMesh:Request:Timeout is 00:00:05; the first must not be more.")]
    [TestCase(
        "Retry:HedgeAfter", "6", 5,
        "ServiceMesh:Http:Retry:HedgeAfter is 00:00:06, " +
        "and a request may take 00:00:05 in all (ServiceMesh:Request:Timeout): hedge before that.")]
    [TestCase("Timeouts:Attempt", "40", 60, "It started.")]
    public async Task The_attempt_timeout_is_compared_with_the_request_timeout_of_the_bus(
        string key, string seconds, int request, string says) => Assert.That(
        await RefusalAsync(
            Service("weather", 5080), Listen(FreePort.Next()),
            (
                $"Http:{key}",
                $"00:00:{seconds}"), ("Request:Timeout", TimeSpan.FromSeconds(request).ToString("c", CultureInfo.InvariantCulture))),
        Does.Contain(says));

    [TestCase(
        "00:00:40",
        "00:00:01",
        "Timeouts:Attempt is 00:00:40, and ServiceMesh:Http:Timeouts:Total is 00:00:30; the first must not be more.")]
    [TestCase("00:00:30", "00:00:30", "HedgeAfter is 00:00:30, and an attempt may take 00:00:30")]
    public void The_attempt_timeout_is_compared_with_the_total_of_HttpClients(string attempt, string hedge, string says)
    {
        var options = new HttpTransportOptions
        {
            Retry = { HedgeAfter = TimeSpan.Parse(hedge, CultureInfo.InvariantCulture) },
            Timeouts = { Attempt = TimeSpan.Parse(attempt, CultureInfo.InvariantCulture) },
        };

        Assert.That(HttpOptionsRules.Problems(options, null), Has.Exactly(1).Contains(says));
    }

    [TestCase("Timeouts:Attempt=00:00:01")]
    [TestCase("Timeouts:Attempt=00:00:01", "Timeouts:Connect=00:00:00.5")]
    [TestCase("Timeouts:Attempt=00:00:01", "Timeouts:Connect=00:00:00.5", "Timeouts:Tls=00:00:00.5")]
    [TestCase("Retry:HedgeAfter=00:00:01", "Services:weather:Retry:Attempts=1")]
    public void Options_that_yield_to_others_are_accepted(params string[] settings)
    {
        var options = new HttpTransportOptions { Services = { ["weather"] = new() { Address = "static:127.0.0.1:1" } } };
        new ConfigurationBuilder().AddInMemoryCollection(
            settings.Select(s => KeyValuePair.Create<string, string?>(s.Split('=')[0], s.Split('=')[1]))).Build().Bind(options);

        Assert.That(HttpOptionsRules.Problems(options, null), Is.Empty);
    }

    [Test]
    public void An_error_names_the_section_that_was_read()
    {
        var options = new HttpTransportOptions
        {
            Retry = { HedgeAfter = TimeSpan.FromSeconds(10), Attempts = 1 },
            Timeouts = { ResponseHeaders = TimeSpan.FromMinutes(1) },
            KeyOf = key => $"Other:Http:{key}",
        };

        Assert.That(
            HttpOptionsRules.Problems(options, null),
            Has.Exactly(3).Items.And.All.StartsWith("Other:Http:").And.All.Not.Contain("ServiceMesh"));
    }

    [Test]
    public async Task Foreign_topics_and_paths_are_checked()
    {
        var refusal = await RefusalAsync(
            Service("weather", 5080), ("Http:Services:weather:Topics:a b", "/x"), ("Http:Services:weather:Topics:ok", "x"),
            ("Http:Services:weather:HealthPath", "well"));

        Assert.That(refusal, Does.Contain("Topics:a b is not a topic")
            .And.Contain("Topics:ok is 'x'; a path begins with '/'").And.Contain("HealthPath is 'well'"));
    }

    [Test]
    public async Task A_port_in_use_is_reported_with_its_key()
    {
        var port = FreePort.Next();
        await using var first = await StartAsync(null, Listen(port));

        Assert.That(await RefusalAsync(Listen(port)), Does.Contain($"http://127.0.0.1:{port}").And.Contain("ServiceMesh:Http:Listen"));
    }

    [Test]
    public async Task An_unreadable_certificate_is_reported_with_its_key() =>
        Assert.That(
            await RefusalAsync(("Http:Listen", $"https://127.0.0.1:{FreePort.Next()}"), ("Http:Tls:Certificate", "missing.pem")),
            Does.Contain("ServiceMesh:Http:Tls:Certificate is 'missing.pem'"));

    [Test]
    public async Task Listening_beyond_loopback_needs_protection_or_AllowUnprotected()
    {
        using var certificates = new TestCertificates();
        await using var meant = await StartAsync(null, ("Http:Listen", $"http://*:{FreePort.Next()}"), ("Http:AllowUnprotected", "true"));
        await using var safe = await StartAsync(
            null,
            ("Http:Listen", $"https://*:{FreePort.Next()}"), ("Http:Token", "a-secret-of-16-characters-or-more"),
            ("Http:Tls:Certificate", certificates.Server), ("Http:Tls:CertificateKey", certificates.ServerKey));

        Assert.That(meant.Bus.DescribeNode().Id, Is.Not.EqualTo(safe.Bus.DescribeNode().Id));
    }

    [Test]
    public void A_node_listens_on_loopback_by_default()
    {
        using var metrics = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var parts = new HttpTransportParts(new(), new(), null, metrics.GetRequiredService<IMeterFactory>(), new(), metrics);
        Assert.That(parts.ListenOn.Select(a => (a.ToString(), a.IsLoopback)), Is.EqualTo([("http://127.0.0.1:5080", true)]));
    }

    [Test]
    public async Task A_message_names_the_section_that_the_bus_was_given()
    {
        var refusal = await RefusalOfAsync(
            services => services.AddServiceMesh("orders", Configuration().GetSection("OrdersMesh")).AddHttpTransport(),
            "OrdersMesh:Http:Limits:Concurrency is 0",
            "OrdersMesh:Http:Timeouts:Attempt is 00:01:00, and OrdersMesh:Request:Timeout is 00:00:30", "OrdersMesh:Http:Lisen");

        Assert.That(refusal, Does.Not.Contain("ServiceMesh:"));
    }

    [Test]
    public async Task The_section_of_a_transport_that_does_not_run_is_not_checked_but_its_keys_are()
    {
        var refusal = await RefusalOfAsync(
            services => services.AddServiceMesh(
                "orders", Configuration().GetSection("OrdersMesh")).AddInMemoryTransport().AddHttpTransport(), "OrdersMesh:Http:Lisen");

        Assert.That(refusal, Does.Not.Contain("Limits:Concurrency").And.Not.Contain("Timeouts:Attempt"));
    }

    [Test]
    public async Task A_balancer_and_a_resolver_belong_to_the_bus_that_they_were_added_to()
    {
        static void Add(IServiceCollection services)
        {
            var section = new ConfigurationBuilder().AddInMemoryCollection(
            [
                new("Mesh:Transport", "Http"),
                new("Mesh:Http:Services:weather:Address", "own://weather"),
                new("Mesh:Http:Services:weather:Balancer", "Own"),
            ]).Build().GetSection("Mesh");
            services.AddServiceMesh("with", section)
                .AddHttpTransport()
                .AddBalancer("Own", c => new RoundRobin(c))
                .AddResolver("own", (_, _) => new StaticResolver([]));
            services.AddServiceMesh("without", section).AddHttpTransport();
        }

        var services = new ServiceCollection();
        Add(services);
        await using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>();

        Assert.That(options.Get("with").Services.Keys, Is.EqualTo(["weather"]));
        Assert.That(
            () => options.Get("without"),
            Throws.TypeOf<OptionsValidationException>().With.Message.Contains(
                "Mesh:Http:Services:weather:Balancer is 'Own'").And.Message.Contains("unknown scheme 'own'"));
    }

    [TestCase("RetryBudget:Window")]
    [TestCase("Ejection:LongestEjectionTime")]
    [TestCase("Ejection:FailureRateMargin")]
    [TestCase("CircuitBreaker:LongestCircuitOpenWindow")]
    [TestCase("Services:weather:Foreign")]
    public async Task A_value_that_is_fixed_in_code_is_not_a_key(string key) =>
        Assert.That(
            await RefusalAsync(Service("weather", 5080), ($"Http:{key}", "1")), Does.Contain($"ServiceMesh:Http:{key} is not a known key"));

    [TestCase("Retry:LongestBackoff", "Backoff")]
    [TestCase("Ejection:MostEjected", "MaxEjected")]
    public async Task An_old_key_is_refused_with_the_nearest_one(string key, string nearest) =>
        Assert.That(
            await RefusalAsync(Service("weather", 5080), ($"Http:{key}", "1")),
            Does.Contain($"ServiceMesh:Http:{key} is not a known key").And.Contain(nearest));

    private static IConfigurationRoot Configuration() => new ConfigurationBuilder().AddInMemoryCollection(
    [
        new("OrdersMesh:Http:Limits:Concurrency", "0"),
        new("OrdersMesh:Http:Timeouts:Attempt", "00:01:00"),
        new("OrdersMesh:Http:Lisen", "x"),
    ]).Build();

    private static async Task<string> RefusalOfAsync(Action<IServiceCollection> configure, params string[] says)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        configure(builder.Services);
        using var host = builder.Build();
        var refusal = (await Assert.CatchAsync(() => host.StartAsync()))!.Message;
        foreach (var said in says)
        {
            Assert.That(refusal, Does.Contain(said));
        }

        return refusal;
    }
}
