using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>The endpoints in an ASP.NET Core application's own server, beside whatever else it serves.</summary>
public sealed class MapServiceMeshTests
{
    [Test]
    public async Task A_node_in_a_web_application_is_called_by_another_and_leaves_without_delay()
    {
        var port = FreePort.Next();
        var app = await StartAsync(
            $"http://127.0.0.1:{port}", mesh => mesh.AddHandler(Ask, (input, _) => $"web {input}"), a => a.MapServiceMesh());
        await using var caller = await HttpNodes.StartAsync(null, Service("web", port), ("Http:Health:Interval", "00:00:30"));
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 2);

        Assert.That(await caller.Bus.RequestAsync(Ask, "hello"), Is.EqualTo("web hello"));
        using var http = new HttpClient();
        Assert.That(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/")), Is.EqualTo("home"));

        // The caller's long poll lasts 30 seconds; the server does not wait for it.
        await app.StopAsync().WaitAsync(TimeSpan.FromSeconds(10));
        await app.DisposeAsync();
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 1);
    }

    [Test]
    public async Task A_node_below_a_path_is_called_by_an_address_with_that_path()
    {
        var port = FreePort.Next();
        await using var app = await StartAsync(
            $"http://127.0.0.1:{port}", mesh => mesh.AddHandler(Ask, (input, _) => $"below {input}"),
            a => a.MapGroup("/api").MapServiceMesh());
        string[] addresses =
            [$"http://127.0.0.1:{port}/api", $"http://127.0.0.1:{port}/api/", $"static:127.0.0.1:{port};path=/api"];
        foreach (var address in addresses)
        {
            await using var caller = await HttpNodes.StartAsync(null, ("Http:Services:web:Address", address));
            Assert.That(await caller.Bus.RequestAsync(Ask, "a path").InTime(), Is.EqualTo("below a path"));
        }

        await app.StopAsync();
    }

    // The node's own server has no routing of ASP.NET Core.
    [Test]
    public async Task The_nodes_own_server_answers_every_path_and_method_as_a_web_application_does()
    {
        var (own, mapped) = (FreePort.Next(), FreePort.Next());
        await using var node = await HttpNodes.StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(own));
        await using var app = await StartAsync(
            $"http://127.0.0.1:{mapped}", mesh => mesh.AddHandler(Ask, (input, _) => input), a => a.MapServiceMesh());
        using var http = new HttpClient();
        string[] paths =
        [
            "/mesh/v1/request/test.ask", "/MESH/v1/Request/test.ask", "/mesh/v1/request/TEST.ask", "/mesh/v1/request", "/mesh/v1/request/",
            "/mesh/v1/request/test.ask/", "/mesh/v1/request/a/b", "/mesh/v1/request/a%2Fb", "/mesh/v1/request/a%20b", "/mesh/v1/requests",
            "/mesh/v1/signal/test.news", "/mesh/v1/signal", "/mesh/v1/node", "/mesh/v1/node/", "/mesh/v1/node/x", "/mesh/v1/health",
            "/mesh/v1/Health/", "/mesh/v1/health/x", "/mesh/v1", "/mesh/v1/", "/mesh/v2/node", "/mesh", "/nothing",
        ];
        using (Assert.EnterMultipleScope())
        {
            foreach (var path in paths)
            {
                foreach (var method in new[] { "GET", "POST", "PUT", "HEAD", "DELETE" })
                {
                    Assert.That(
                        await AnswerAsync(http, own, path, method), Is.EqualTo(await AnswerAsync(http, mapped, path, method)),
                        $"{method} {path}");
                }
            }
        }

        static async Task<string> AnswerAsync(HttpClient http, int port, string path, string method)
        {
            using var request = new HttpRequestMessage(new(method), $"http://127.0.0.1:{port}{path}")
            {
                Content = method == "POST" ? new StringContent("\"pune\"") : null,
            };
            using var response = await http.SendAsync(request);
            var allowed = response.Content.Headers.Allow.Order(StringComparer.Ordinal);
            return $"{(int)response.StatusCode} {string.Join(',', allowed)} {response.Content.Headers.ContentType}";
        }
    }

    // Spans and metrics of the server have it.
    [TestCase("POST", "/mesh/v1/request/test.ask", "/mesh/v1/request/{**topic}")]
    [TestCase("POST", "/mesh/v1/signal/test.news", "/mesh/v1/signal/{**topic}")]
    [TestCase("GET", "/mesh/v1/node", "/mesh/v1/node")]
    [TestCase("HEAD", "/mesh/v1/health", "/mesh/v1/health")]
    [TestCase("GET", "/else", null)]
    public async Task The_nodes_own_server_knows_the_route_of_a_request(string method, string path, string? route)
    {
        var http = new DefaultHttpContext { Request = { Method = method, Path = path } };

        await new MeshEndpoints().ServeAsync(http);

        var endpoint = http.GetEndpoint() as RouteEndpoint;
        Assert.That(
            (endpoint?.RoutePattern.RawText, endpoint?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route),
            Is.EqualTo((route, route)));
    }

    // A middleware that decompresses may throw anything, and memory may be short.
    [TestCase(typeof(InsufficientMemoryException))]
    [TestCase(typeof(IOException))]
    [TestCase(typeof(TimeoutException))]
    public async Task A_body_that_the_node_cannot_read_is_503_with_the_reason_in_the_log(Type thrown)
    {
        var port = FreePort.Next();
        await using var app = await StartAsync(
            $"http://127.0.0.1:{port}", mesh => mesh.AddHandler(Ask, (input, _) => input),
            a =>
            {
                a.Use((http, next) =>
                {
                    http.Request.Body = new Unreadable(thrown);
                    return next(http);
                });
                a.MapServiceMesh();
            });
        using var http = new HttpClient();

        using var response = await http.PostAsync(
            new Uri($"http://127.0.0.1:{port}/mesh/v1/request/test.ask"), new StringContent("\"a\""));

        Assert.That(
            ((int)response.StatusCode, response.Headers.Contains("mesh-not-processed")), Is.EqualTo((503, true)));
        Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain("could not read the body"));
    }

    [Test]
    public void Modules_that_add_the_transport_again_change_its_options()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh().AddHttpTransport(options => options.Listen = "http://127.0.0.1:5080");
        var count = services.Count(d => d.ServiceType == typeof(Microsoft.Extensions.Hosting.IHostedService));
        services.AddServiceMesh().AddHttpTransport(options => options.Retry.Attempts = 7);
        using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>().Get("");

        Assert.That((options.Listen, options.Retry.Attempts), Is.EqualTo(("http://127.0.0.1:5080", 7)));
        Assert.That(services.Count(d => d.ServiceType == typeof(Microsoft.Extensions.Hosting.IHostedService)), Is.EqualTo(count));
        Assert.That(provider.GetKeyedServices<TransportRegistration>(""), Has.Exactly(1).Items);
    }

    [Test]
    public async Task Web_applications_restart_in_turn_under_load_without_a_failed_request()
    {
        int[] ports = [FreePort.Next(), FreePort.Next()];
        Task<WebApplication> ServerAsync(int port) => StartAsync(
            $"http://127.0.0.1:{port}",
            mesh => mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), context.CancellationToken);
                return input;
            }),
            a => a.MapServiceMesh());
        var servers = await Task.WhenAll(ports.Select(ServerAsync));
        await using var caller = await HttpNodes.StartAsync(null, Service("web", ports));
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 3);
        await using var load = new Load(caller.Bus, callers: 32);

        for (var i = 0; i < ports.Length; i++)
        {
            var before = load.Answered;
            await servers[i].StopAsync().InTime();
            await servers[i].DisposeAsync();
            servers[i] = await ServerAsync(ports[i]);
            var id = servers[i].Services.GetRequiredService<IServiceBus>().DescribeNode().Id;
            await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Any(n => n.Id == id) && load.Answered > before + 200);
        }

        Assert.That(await load.EndAsync(), Is.Empty);
        Assert.That(load.Answered, Is.GreaterThan(400));
        foreach (var server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [Test]
    public async Task Conventions_of_the_application_apply()
    {
        var port = FreePort.Next();
        await using var app = await StartAsync(
            $"http://127.0.0.1:{port}", mesh => mesh.AddHandler(Ask, (input, _) => input), a => a.MapServiceMesh().RequireAuthorization(),
            services => services.AddAuthorization().AddAuthentication("test")
                .AddScheme<AuthenticationSchemeOptions, ByHeader>("test", null));
        using var http = new HttpClient();
        var url = new Uri($"http://127.0.0.1:{port}/mesh/v1/request/test.ask");

        using var refused = await http.PostAsync(url, new StringContent("\"x\"", null, "application/json"));
        http.DefaultRequestHeaders.Add("X-User", "ann");
        using var answered = await http.PostAsync(url, new StringContent("\"x\"", null, "application/json"));

        Assert.That((refused.StatusCode, answered.StatusCode), Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.OK)));
        Assert.That(await answered.Content.ReadAsStringAsync(), Is.EqualTo("\"x\""));
        await app.StopAsync();
    }

    [Test]
    public void MapServiceMesh_without_the_transport_names_what_is_missing()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Services.AddServiceMesh().AddInMemoryTransport();
        var app = builder.Build();

        Assert.That(() => app.MapServiceMesh(), Throws.InvalidOperationException.With.Message.Contains("AddHttpTransport()"));
    }

    private static async Task<WebApplication> StartAsync(
        string url, Action<IServiceMeshBuilder> configure, Action<WebApplication> map, Action<IServiceCollection>? addServices = null)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create<string, string?>("ServiceMesh:Transport", "Http")]);
        addServices?.Invoke(builder.Services);
        configure(builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh")).AddHttpTransport());
        var app = builder.Build();
        app.MapGet("/", () => "home");
        map(app);
        await app.StartAsync();
        return app;
    }

    private sealed class ByHeader(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers.TryGetValue("X-User", out var user)
                ? AuthenticateResult.Success(new(new(new ClaimsIdentity([new Claim(ClaimTypes.Name, user.ToString())], "test")), "test"))
                : AuthenticateResult.NoResult());
    }

    private sealed class Unreadable(Type thrown) : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw (Exception)Activator.CreateInstance(thrown, "It cannot be read.")!;
    }
}
