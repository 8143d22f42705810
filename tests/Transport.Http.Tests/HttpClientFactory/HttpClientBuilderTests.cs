using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Http.Logging;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>HttpClients from the factory: which configuration they use, and what they share.</summary>
[CancelAfter(20_000)]
public sealed class HttpClientBuilderTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public async Task HttpClients_without_a_bus_use_the_services_of_the_application(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var host = Build(
            [($"ServiceMesh:Http:Services:weather:Address", $"http://{server.Address}")],
            services => services.AddHttpClient("any").AddServiceMesh());

        Assert.That(await ServerOfAsync(host, "any", cancellationToken), Is.EqualTo(server.Address));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task HttpClients_use_the_services_of_a_bus_with_any_transport(bool hasHttpTransport, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var host = Build(
            [("OwnSection:Transport", "InMemory"), ("OwnSection:Http:Services:weather:Address", $"http://{server.Address}"),
            ("ServiceMesh:Http:Services:weather:Address", "http://127.0.0.1:1")],
            (services, configuration) =>
            {
                services.AddHttpClient("any").AddServiceMesh();
                var bus = services.AddServiceMesh(configuration.GetSection("OwnSection")).AddInMemoryTransport();
                _ = hasHttpTransport ? bus.AddHttpTransport() : bus;
            });
        await host.StartAsync(cancellationToken);

        Assert.That(await ServerOfAsync(host, "any", cancellationToken), Is.EqualTo(server.Address));
        await host.StopAsync(cancellationToken);
    }

    [Test]
    public async Task Each_bus_has_its_own_services(CancellationToken cancellationToken)
    {
        await using var first = await FaultServer.StartAsync();
        await using var second = await FaultServer.StartAsync();
        using var host = Build(
            [("Orders:Transport", "InMemory"), ("Orders:Http:Services:weather:Address", $"http://{first.Address}"),
            ("ServiceMesh:Http:Services:weather:Address", $"http://{second.Address}")],
            (services, configuration) =>
            {
                services.AddServiceMesh("orders", configuration.GetSection("Orders")).AddInMemoryTransport();
                services.AddHttpClient("of-orders").AddServiceMesh("orders");
                services.AddHttpClient("of-none").AddServiceMesh();
            });

        Assert.That(await ServerOfAsync(host, "of-orders", cancellationToken), Is.EqualTo(first.Address));
        Assert.That(await ServerOfAsync(host, "of-none", cancellationToken), Is.EqualTo(second.Address));
    }

    [Test]
    public async Task All_clients_share_connections_and_code_overrides_configuration(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", "http://127.0.0.1:1")],
            services =>
            {
                services.AddHttpClient("first")
                    .AddServiceMesh(configure: options => options.Services["weather"].Address = $"http://{server.Address}");
                services.AddHttpClient("second").AddServiceMesh().AddServiceMesh();
            });

        await ServerOfAsync(host, "first", cancellationToken);
        await ServerOfAsync(host, "second", cancellationToken);

        Assert.That((server.Attempts, server.Connections), Is.EqualTo((2, 1)));
    }

    [Test]
    public async Task A_first_request_leaves_nothing_that_was_current_in_the_watches_that_it_starts(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", $"http://{server.Address}")],
            services => services.AddHttpClient("any").AddServiceMesh());

        var value = await AskWithinAsync(host, cancellationToken);

        while (value.IsAlive)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken); // what has just ended may take a moment
        }
    }

    private static readonly AsyncLocal<object?> s_ambient = new();

    // A method of its own, so that no local variable of the test refers to the value.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> AskWithinAsync(IHost host, CancellationToken cancellationToken)
    {
        var value = new WeakReference(s_ambient.Value = new byte[10 * 1024 * 1024]);
        await ServerOfAsync(host, "any", cancellationToken);
        s_ambient.Value = null;
        return value;
    }

    [Test]
    public async Task Every_HttpClient_can_use_the_mesh(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", $"http://{server.Address}")],
            services => services.ConfigureHttpClientDefaults(client => client.AddServiceMesh()));

        Assert.That(await ServerOfAsync(host, "whatever", cancellationToken), Is.EqualTo(server.Address));
    }

    [Test]
    public async Task Other_handlers_see_each_request_once_wherever_they_are_added(CancellationToken cancellationToken)
    {
        await using var refusing = await FaultServer.StartAsync(Fault.Status503);
        refusing.RetryAfter = null;
        var (before, after) = (new Counting(), new Counting());
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", $"http://{refusing.Address}")],
            services => services.AddHttpClient("any")
                .AddHttpMessageHandler(() => before).AddServiceMesh().AddHttpMessageHandler(() => after));

        using var response = await host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any")
            .GetAsync(s_weather, cancellationToken);

        Assert.That((refusing.Attempts, before.Requests, after.Requests), Is.EqualTo((3, 1, 1)));
    }

    // These are added after all other handlers, by builder filters.
    [Test]
    public async Task Loggers_and_filters_next_to_the_network_see_each_request(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var (log, logger, appended) = (new RecordedLog(), new RecordingLogger(), new Counting());
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", $"http://{server.Address}")],
            services =>
            {
                services.AddLogging(logging => logging.AddProvider(log).SetMinimumLevel(LogLevel.Trace));
                services.AddSingleton<IHttpMessageHandlerBuilderFilter>(new Appending(appended));
                services.AddHttpClient("any").AddServiceMesh().AddLogger(_ => logger, wrapHandlersPipeline: false).AddDefaultLogger();
            });

        await ServerOfAsync(host, "any", cancellationToken);

        Assert.That((appended.Requests, logger.Requests), Is.EqualTo((1, 1)));
        Assert.That(log.Lines, Has.Some.Contains("Sending HTTP request GET http://weather/"));
    }

    [Test]
    public async Task The_primary_handler_of_the_client_serves_other_hosts([Values] bool isBefore, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var primary = new Counting { InnerHandler = new SocketsHttpHandler() };
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", $"http://{server.Address}")],
            services =>
            {
                var client = services.AddHttpClient("any");
                client = isBefore ? client.AddServiceMesh() : client;
                client = client.ConfigurePrimaryHttpMessageHandler(() => primary);
                _ = isBefore ? client : client.AddServiceMesh();
            });
        await ServerOfAsync(host, "any", cancellationToken);

        var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");
        (await http.GetAsync(new Uri($"http://{server.Address}/"), cancellationToken)).Dispose();

        Assert.That((server.Attempts, primary.Requests), Is.EqualTo((2, 1)));
    }

    [Test]
    public async Task The_registration_of_one_client_wins_over_that_of_all([Values] bool isFirst, CancellationToken cancellationToken)
    {
        await using var own = await FaultServer.StartAsync();
        await using var other = await FaultServer.StartAsync();
        using var host = Build(
            [("Orders:Transport", "InMemory"), ("Orders:Http:Services:weather:Address", $"http://{own.Address}"),
            ("ServiceMesh:Http:Services:weather:Address", $"http://{other.Address}")],
            (services, configuration) =>
            {
                services.AddServiceMesh("orders", configuration.GetSection("Orders")).AddInMemoryTransport();
                if (isFirst)
                {
                    services.AddHttpClient("any").AddServiceMesh("orders");
                }

                services.ConfigureHttpClientDefaults(client => client.AddServiceMesh());
                if (!isFirst)
                {
                    services.AddHttpClient("any").AddServiceMesh("orders");
                }
            });

        Assert.That(
            (await ServerOfAsync(host, "any", cancellationToken), await ServerOfAsync(host, "else", cancellationToken)),
            Is.EqualTo((own.Address, other.Address)));
    }

    [Test]
    public void A_client_cannot_have_the_services_of_two_buses()
    {
        var services = new ServiceCollection();
        services.AddHttpClient("any").AddServiceMesh("orders");

        Assert.That(
            () => services.AddHttpClient("any").AddServiceMesh(),
            Throws.InvalidOperationException.With.Message.Contains("The HttpClient 'any'").And.Message.Contains("the bus 'orders'"));
    }

    [Test]
    public async Task An_invalid_section_stops_the_application_at_start()
    {
        using var unknown = Build(
            [("ServiceMesh:Http:Servces:weather:Address", "http://127.0.0.1:1")],
            services => services.AddHttpClient("any").AddServiceMesh());
        using var unreadable = Build(
            [("ServiceMesh:Http:Timeouts:Total", "soon")], services => services.AddHttpClient("any").AddServiceMesh());
        using var wrong = Build(
            [("ServiceMesh:Http:Services:weather:Address", "nowhere")], services => services.AddHttpClient("any").AddServiceMesh());
        using var missing = Build([], services => services.AddHttpClient("any").AddServiceMesh("orders"));

        await Assert.ThatAsync(() => unknown.StartAsync(), Throws.TypeOf<OptionsValidationException>().With.Message.Contains(
            "ServiceMesh:Http:Servces")
            .And.Message.Contains("Did you mean 'Services'?"));
        await Assert.ThatAsync(() => unreadable.StartAsync(), Throws.InvalidOperationException.With.Message.Contains(
            "ServiceMesh:Http:Timeouts:Total")
            .And.Message.Contains("hours:minutes:seconds"));
        await Assert.ThatAsync(
            () => wrong.StartAsync(),
            Throws.TypeOf<OptionsValidationException>().With.Message.Contains("ServiceMesh:Http:Services:weather:Address"));
        await Assert.ThatAsync(
            () => missing.StartAsync(), Throws.TypeOf<OptionsValidationException>().With.Message.Contains("the bus 'orders'"));
    }

    [Test]
    public async Task The_bus_knows_the_keys_that_HttpClients_read()
    {
        using var host = Build(
            [("ServiceMesh:Http:Services:weather:HealthPath", "/well"), ("ServiceMesh:Http:Services:weather:Adress", "http://127.0.0.1:1")],
            (services, configuration) =>
            {
                services.AddServiceMesh(configuration.GetSection("ServiceMesh")).AddInMemoryTransport();
                services.AddHttpClient("any").AddServiceMesh();
            });

        await Assert.ThatAsync(() => host.StartAsync(), Throws.TypeOf<AggregateException>().With.Message.Contains("Adress")
            .And.Message.Contains("Did you mean 'Address'?").And.Not.Message.Contains("HealthPath is"));
    }

    [Test]
    public async Task A_container_can_be_disposed_synchronously(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var host = Build(
            [("ServiceMesh:Http:Services:weather:Address", $"http://{server.Address}")],
            services => services.AddHttpClient("any").AddServiceMesh());
        await ServerOfAsync(host, "any", cancellationToken);
        var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");

        host.Dispose();

        await Assert.ThatAsync(() => http.GetAsync(s_weather, cancellationToken), Throws.TypeOf<ObjectDisposedException>());
    }

    private static async Task<string> ServerOfAsync(IHost host, string client, CancellationToken cancellationToken)
    {
        var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient(client);
        return (await http.GetFromJsonAsync<FaultServerAnswer>(s_weather, cancellationToken))!.Server;
    }

    private static IHost Build(IEnumerable<(string Key, string Value)> settings, Action<IServiceCollection> configure) =>
        Build(settings, (services, _) => configure(services));

    private static IHost Build(IEnumerable<(string Key, string Value)> settings, Action<IServiceCollection, IConfiguration> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create<string, string?>(s.Key, s.Value)));
        configure(builder.Services, builder.Configuration);
        return builder.Build();
    }

    private sealed class Counting : DelegatingHandler
    {
        private int _requests;

        public int Requests => _requests;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _requests);
            return base.SendAsync(request, cancellationToken);
        }
    }

    private sealed class Appending(DelegatingHandler handler) : IHttpMessageHandlerBuilderFilter
    {
        public Action<HttpMessageHandlerBuilder> Configure(Action<HttpMessageHandlerBuilder> next) => chain =>
        {
            next(chain);
            chain.AdditionalHandlers.Add(handler);
        };
    }

    private sealed class RecordingLogger : IHttpClientLogger
    {
        private int _requests;

        public int Requests => _requests;

        public object? LogRequestStart(HttpRequestMessage request)
        {
            Interlocked.Increment(ref _requests);
            return null;
        }

        public void LogRequestStop(object? context, HttpRequestMessage request, HttpResponseMessage response, TimeSpan elapsed)
        {
        }

        public void LogRequestFailed(
            object? context, HttpRequestMessage request, HttpResponseMessage? response, Exception exception, TimeSpan elapsed)
        {
        }
    }
}
