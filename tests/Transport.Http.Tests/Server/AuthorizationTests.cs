using System.Net.Sockets;
using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>The identity of the caller in the context of a handler, and handlers that demand policies.</summary>
public sealed class AuthorizationTests
{
    private const string Secret = "a-secret-of-16-characters-or-more";

    [TestCase(null, 401, "demands an authenticated caller")]
    [TestCase("guest", 403, "is not allowed to call 'test.ask'")]
    [TestCase("staff", 200, "ann of staff")]
    public async Task A_policy_decides_which_callers_reach_a_handler(string? role, int status, string said)
    {
        await using var web = await WebNode.StartAsync(mesh => mesh.AddHandler(
            Ask, (_, context) => $"{context.Caller!.Identity!.Name} of {context.Caller.FindFirst(ClaimTypes.Role)!.Value}",
            handler => handler.RequireAuthorization("staff")));

        using var response = await web.PostAsync("request/test.ask", role);

        Assert.That((int)response.StatusCode, Is.EqualTo(status));
        Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain(said).And.Contain(status == 200 ? "" : "'test.ask'"));
    }

    [TestCase(null, 401)]
    [TestCase("guest", 403)]
    public async Task A_caller_without_the_right_is_refused_before_its_body_is_read(string? role, int status)
    {
        await using var web = await WebNode.StartAsync(mesh => mesh.AddHandler(
            Ask, (input, _) => input, handler => handler.RequireAuthorization("staff")));
        using var tcp = new TcpClient();
        await tcp.ConnectAsync("127.0.0.1", web.Port);
        var stream = tcp.GetStream();
        var user = role is null ? "" : $"X-User: ann\r\nX-Role: {role}\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /mesh/v1/request/test.ask HTTP/1.1\r\nHost: 127.0.0.1:{web.Port}\r\n{user}Content-Length: 1000000\r\n\r\n"));

        var line = await new StreamReader(stream).ReadLineAsync().InTime();

        Assert.That(line, Does.StartWith($"HTTP/1.1 {status}"));
    }

    [Test]
    public async Task The_default_policy_admits_every_authenticated_caller()
    {
        await using var web = await WebNode.StartAsync(mesh => mesh.AddHandler(
            Ask, (_, context) => context.Caller!.Identity!.Name!, handler => handler.RequireAuthorization()));

        using var refused = await web.PostAsync("request/test.ask", null);
        using var answered = await web.PostAsync("request/test.ask", "guest");

        Assert.That(((int)refused.StatusCode, (int)answered.StatusCode), Is.EqualTo((401, 200)));
        Assert.That(refused.Headers.WwwAuthenticate.ToString(), Is.EqualTo("Bearer"));
    }

    [Test]
    public async Task A_handler_without_a_policy_sees_an_anonymous_caller()
    {
        await using var web = await WebNode.StartAsync(mesh => mesh.AddHandler(
            Ask, (_, context) => context.Caller!.Identity!.IsAuthenticated ? "known" : "anonymous"));

        using var response = await web.PostAsync("request/test.ask", null);

        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo("\"anonymous\""));
    }

    [Test]
    public async Task A_node_with_the_token_is_authenticated_at_the_server_of_a_worker()
    {
        var port = FreePort.Next();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport()
                .AddHandler(
                    Ask, (_, context) => context.Caller!.Identity!.AuthenticationType!, handler => handler.RequireAuthorization())
                .AddHandler(
                    new RequestTopic<string, string>("test.admin"), (input, _) => input,
                    handler => handler.RequireAuthorization("admin")),
            [("Transport", "Http"), Listen(port), ("Http:Token", Secret), ("ErrorPolicy", "Ignore")],
            services => services.AddAuthorization(o => o.AddPolicy("admin", policy => policy.RequireRole("admin"))));
        await using var caller = await StartAsync(null, Service("server", port), ("Http:Token", Secret));

        Assert.That(await caller.Bus.RequestAsync(Ask, "x").InTime(), Is.EqualTo("ServiceMesh"));
        var refused = await caller.Bus.TryRequestAsync(new RequestTopic<string, string>("test.admin"), "x").InTime();
        Assert.That((refused.Status, refused.Failure!.NotProcessed), Is.EqualTo((StatusCode.Forbidden, true)));
        Assert.That(refused.Failure.Message, Does.Contain("'test.admin'").And.Contain("'admin'"));

        // The server's own calls have the same identity.
        Assert.That(await server.Bus.RequestAsync(Ask, "x").InTime(), Is.EqualTo("ServiceMesh"));
        var own = await server.Bus.TryRequestAsync(new RequestTopic<string, string>("test.admin"), "x").InTime();
        Assert.That(own.Status, Is.EqualTo(StatusCode.Forbidden));
    }

    [Test]
    public async Task A_signal_reaches_only_the_subscribers_whose_policies_the_caller_satisfies()
    {
        var heard = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var web = await WebNode.StartAsync(mesh => mesh
            .AddHandler(News, (_, _) => heard.Enqueue("all"))
            .AddHandler(News, (_, _) => heard.Enqueue("staff"), handler => handler.RequireAuthorization("staff"))
            .AddHandler(
                new SignalTopic<string>("test.secret"), (_, _) => heard.Enqueue("secret"),
                handler => handler.RequireAuthorization("staff").Group = "g"));

        using var guest = await web.PostAsync("signal/test.news", "guest");
        await Failsafe.UntilAsync(() => heard.Count == 1);
        using var staff = await web.PostAsync("signal/test.news", "staff");
        await Failsafe.UntilAsync(() => heard.Count == 3);
        using var refused = await web.PostAsync("signal/test.secret", "guest");

        Assert.That(await guest.Content.ReadAsStringAsync(), Does.Contain("\"receivers\":1"));
        Assert.That(await staff.Content.ReadAsStringAsync(), Does.Contain("\"receivers\":2"));
        Assert.That(heard.Order(), Is.EqualTo(["all", "all", "staff"]));
        Assert.That((int)refused.StatusCode, Is.EqualTo(403));
    }

    [Test]
    public async Task A_policy_that_does_not_exist_fails_at_start()
    {
        Task StartAsync(Action<IServiceCollection>? services) => TestNode.StartAsync(
            mesh => mesh.AddHttpTransport().AddHandler(
                Ask, (input, _) => input, handler => handler.RequireAuthorization("staff")),
            [("Transport", "Http"), Listen(FreePort.Next())], services);

        var noServices = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(null));
        var noPolicy = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(s => s.AddAuthorization()));

        Assert.That(noServices!.Message, Does.Contain("'test.ask'").And.Contain("AddAuthorization"));
        Assert.That(noPolicy!.Message, Does.Contain("'test.ask'").And.Contain("'staff', which does not exist"));
    }

    /// <summary>A web application whose callers say who they are in headers.</summary>
    private sealed class WebNode : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly HttpClient _http = new();

        private WebNode(WebApplication app, int port) => (_app, Port) = (app, port);

        public int Port { get; }

        public static async Task<WebNode> StartAsync(Action<IServiceMeshBuilder> configure)
        {
            var port = FreePort.Next();
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
            builder.Configuration.AddInMemoryCollection(
                [KeyValuePair.Create<string, string?>("ServiceMesh:Transport", "Http"), new("ServiceMesh:ErrorPolicy", "Ignore")]);
            builder.Services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, ByHeader>("test", null);
            builder.Services.AddAuthorization(o => o.AddPolicy("staff", policy => policy.RequireRole("staff")));
            configure(builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh")).AddHttpTransport());
            var app = builder.Build();
            app.MapServiceMesh();
            await app.StartAsync();
            return new(app, port);
        }

        public Task<HttpResponseMessage> PostAsync(string path, string? role)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"http://127.0.0.1:{Port}/mesh/v1/{path}"))
            {
                Content = new StringContent("\"x\"", null, "application/json"),
            };
            if (role is not null)
            {
                request.Headers.Add("X-User", "ann");
                request.Headers.Add("X-Role", role);
            }

            return _http.SendAsync(request).InTime();
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            await _app.StopAsync();
            await _app.DisposeAsync();
        }
    }

    private sealed class ByHeader(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Headers.TryGetValue("X-User", out var user)
                ? AuthenticateResult.Success(new(new(new ClaimsIdentity(
                    [new(ClaimTypes.Name, user.ToString()), new(ClaimTypes.Role, Request.Headers["X-Role"].ToString())], "test")), "test"))
                : AuthenticateResult.NoResult());
    }
}
