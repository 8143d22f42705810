using System.Collections.Concurrent;
using System.Net;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Links;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Two nodes and the session between them: what uses it, what does not, and what it says of itself.</summary>
public sealed class SessionTests
{
    [Test]
    public async Task The_first_request_opens_the_session_that_the_following_ones_use()
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var caller = await SessionNodes.CallerAsync([port]);

        var before = caller.States().Single();
        await caller.OpenAsync(server);

        Assert.That(before.Uses, Is.EqualTo("exchange"));
        Assert.That(await caller.Bus.RequestAsync(Ask, "over the session"), Is.EqualTo("over the session"));
        Assert.That(server.Sessions().Callers, Is.EqualTo([caller.Bus.DescribeNode().Id]));
    }

    [Test]
    public async Task Requests_and_signals_use_the_session_and_large_bodies_an_exchange()
    {
        var (port, paths, news) = (FreePort.Next(), new ConcurrentQueue<string>(), new Inbox<string>());
        var group = new SignalTopic<string>("test.grouped");
        await using var app = await WebNodeAsync(port, paths, mesh => mesh
            .AddHandler(Ask, (input, _) => input)
            .AddHandler(News, news.ReceiveAsync)
            .AddHandler(group, news.ReceiveAsync, options => options.Group = "workers"));
        await using var caller = await SessionNodes.CallerAsync([port]);
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 2);
        await Failsafe.UntilAsync(async () =>
        {
            await caller.Bus.RequestAsync(Ask, "");
            return caller.States().Single().Uses == "session";
        });
        var exchanges = paths.Count(p => p.Contains("/request/", StringComparison.Ordinal));

        Assert.That(await caller.Bus.RequestAsync(Ask, new string('a', 60_000)), Has.Length.EqualTo(60_000));
        var individuals = await caller.Bus.SignalAsync(News, "all");
        var grouped = await caller.Bus.SignalAsync(group, "one");
        Assert.That((individuals.Receivers, grouped.Receivers), Is.EqualTo(((int?)1, (int?)1)));
        Assert.That((await news.NextAsync(), await news.NextAsync()), Is.EqualTo(("all", "one")));
        Assert.That(paths.Count(p => p.Contains("/request/", StringComparison.Ordinal)), Is.EqualTo(exchanges));
        Assert.That(paths, Has.None.Contains("/signal/"));

        Assert.That(await caller.Bus.RequestAsync(Ask, new string('a', 70_000)), Has.Length.EqualTo(70_000));
        Assert.That(paths.Count(p => p.Contains("/request/", StringComparison.Ordinal)), Is.EqualTo(exchanges + 1));
        Assert.That(paths.Count(p => p.Contains("/session", StringComparison.Ordinal)), Is.EqualTo(1), "one session, whatever it carries");
    }

    [Test]
    public async Task A_session_keeps_who_opened_it()
    {
        var port = FreePort.Next();
        await using var app = await WebNodeAsync(port, [], mesh => mesh.AddHandler(Ask, (input, _) => input), http =>
            http.User = new(new ClaimsIdentity([new(ClaimTypes.Name, "weather")], "test")));
        await using var caller = await SessionNodes.CallerAsync([port]);
        await Failsafe.UntilAsync(async () =>
        {
            await caller.Bus.TryRequestAsync(Ask, "");
            return caller.States().Single().Uses == "session";
        });

        var host = (NodeSessions)app.Services.GetRequiredKeyedService<MeshEndpoints>("").Node!.Sessions!;
        Assert.That(host.Principals.Single().Identity?.Name, Is.EqualTo("weather"));
    }

    [Test]
    public async Task Policies_decide_over_a_session_as_over_an_exchange()
    {
        const string Secret = "a-secret-of-16-characters-or-more";
        var (admin, secret) = (new RequestTopic<string, string>("test.admin"), new SignalTopic<string>("test.secret"));
        var port = FreePort.Next();
        var heard = new Inbox<string>();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport()
                .AddHandler(Ask, (_, context) => context.Caller!.Identity!.AuthenticationType!, handler => handler.RequireAuthorization())
                .AddHandler(admin, (input, _) => input, handler => handler.RequireAuthorization("admin"))
                .AddHandler(secret, heard.ReceiveAsync, handler => handler.RequireAuthorization("admin"))
                .AddHandler(secret, (news, context) => heard.ReceiveAsync($"{news} for all", context)),
            [("Transport", "Http"), ("Http:Listen", $"h2c://127.0.0.1:{port}"), ("Http:Token", Secret), ("ErrorPolicy", "Ignore")],
            services => services.AddAuthorization(o => o.AddPolicy("admin", policy => policy.RequireRole("admin"))));
        await using var caller = await SessionNodes.CallerAsync([port], ("Http:Token", Secret));
        await caller.OpenAsync(server);

        Assert.That(await caller.Bus.RequestAsync(Ask, "x"), Is.EqualTo("ServiceMesh"));
        var refused = await caller.Bus.TryRequestAsync(admin, "x");
        Assert.That((refused.Status, refused.Failure!.NotProcessed), Is.EqualTo((StatusCode.Forbidden, true)));
        Assert.That(refused.Failure.Message, Does.Contain("'test.admin'").And.Contain("'admin'"));
        for (var i = 0; i < 2; i++)
        {
            Assert.That((await caller.Bus.SignalAsync(secret, $"{i}")).Receivers, Is.EqualTo(1), "the other subscriber demands a policy");
            Assert.That(await heard.NextAsync(), Is.EqualTo($"{i} for all"));
        }

        Assert.That(caller.States().Single().Uses, Is.EqualTo("session"));
    }

    [Test]
    public async Task A_node_with_another_token_gets_no_session_and_no_answer()
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(
            port, mesh => mesh.AddHandler(Ask, (input, _) => input), ("Http:Token", "a-secret-of-16-characters-or-more"));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"http://127.0.0.1:{port}/mesh/v1/session"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer another-secret-of-some-length");

        using var response = await http.SendAsync(request);

        Assert.That((int)response.StatusCode, Is.EqualTo(401));
        Assert.That(server.Sessions().Callers, Is.Empty);
    }

    [TestCase("")]
    [TestCase("GET / HTTP/1.1")]
    [TestCase("\u00b5\u0001\u0000\u0001/")]
    public async Task A_session_of_another_protocol_is_refused_with_400(string preamble)
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"http://127.0.0.1:{port}/mesh/v1/session"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(System.Text.Encoding.Latin1.GetBytes(preamble)),
        };

        using var response = await http.SendAsync(request);

        Assert.That((int)response.StatusCode, Is.EqualTo(400));
        Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain("Use an exchange"));
    }

    [TestCase(1)]
    [TestCase(-1)]
    public async Task A_session_ends_with_its_authentication_and_another_one_is_authenticated(int seconds)
    {
        var (port, paths) = (FreePort.Next(), new ConcurrentQueue<string>());
        await using var app = await WebNodeAsync(port, paths, mesh => mesh.AddHandler(Ask, (input, _) => input), http =>
        {
            var properties = new AuthenticationProperties { ExpiresUtc = DateTimeOffset.UtcNow.AddSeconds(seconds) };
            http.Features.Set<IAuthenticateResultFeature>(
                new Authenticated { AuthenticateResult = AuthenticateResult.Success(new(new(), properties, "test")) });
        });
        await using var caller = await SessionNodes.CallerAsync([port]);

        await Failsafe.UntilAsync(async () =>
        {
            Assert.That(await caller.Bus.TryRequestAsync(Ask, "x"), Has.Property("IsSuccess").True);
            return paths.Count(p => p.Contains("/session", StringComparison.Ordinal)) >= 2;
        });
    }

    [Test]
    public async Task A_session_whose_authentication_has_expired_takes_no_message()
    {
        var (port, calls) = (FreePort.Next(), 0);
        await using var app = await WebNodeAsync(
            port, [], mesh => mesh.AddHandler(Ask, (input, _) => $"{Interlocked.Increment(ref calls)}"), http =>
            {
                var properties = new AuthenticationProperties { ExpiresUtc = DateTimeOffset.UtcNow.AddSeconds(-1) };
                http.Features.Set<IAuthenticateResultFeature>(
                    new Authenticated { AuthenticateResult = AuthenticateResult.Success(new(new(), properties, "test")) });
            });

        var answers = await RawSession.AskAsync(port, Ask.Topic, Ask.Topic);

        Assert.That(answers, Is.EqualTo([
            (1L, FrameKind.Refusal, StatusCode.Unauthorized), (2L, FrameKind.Refusal, StatusCode.Unauthorized)]));
        Assert.That(calls, Is.Zero);
    }

    [Test]
    public async Task A_request_that_runs_when_its_session_ends_may_go_on()
    {
        var (port, held, clock) = (FreePort.Next(), new Held(), new FakeTimeProvider(DateTimeOffset.UtcNow));
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport().AddHandler(Ask, held.HandleAsync),
            [("Transport", "Http"), ("Http:Listen", $"h2c://127.0.0.1:{port}"), ("ErrorPolicy", "Ignore")],
            services => services.AddSingleton<TimeProvider>(clock));
        var asking = RawSession.AskAsync(port, Ask.Topic);
        await held.EnteredAsync();
        for (var i = 0; i < 50; i++)
        {
            clock.Advance(TimeSpan.FromMilliseconds(100)); // five seconds, in all
        }

        held.Release();
        await Failsafe.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromMilliseconds(20));
            return asking.IsCompleted;
        });

        Assert.That(await asking, Is.EqualTo([(1L, FrameKind.Reply, StatusCode.Ok)]));
    }

    [Test]
    public async Task A_caller_without_the_right_takes_no_place_over_a_session()
    {
        var (port, held) = (FreePort.Next(), new Held());
        var staff = false;
        await using var app = await WebNodeAsync(
            port, [],
            mesh => mesh.AddHandler(Ask, held.HandleAsync, handler =>
            {
                (handler.MaxConcurrency, handler.MaxQueued) = (1, 0);
                handler.RequireAuthorization("staff");
            }),
            http => http.User = new(new ClaimsIdentity(Volatile.Read(ref staff) ? [new(ClaimTypes.Role, "staff")] : [], "test")),
            services => services.AddAuthorization(o => o.AddPolicy("staff", policy => policy.RequireRole("staff"))));
        var unknown = RawSession.AskAsync(port, Ask.Topic);
        Assert.That(await unknown, Is.EqualTo([(1L, FrameKind.Refusal, StatusCode.Forbidden)]), "asked before a place is taken");
        Volatile.Write(ref staff, true);
        var running = RawSession.AskAsync(port, Ask.Topic);
        await held.EnteredAsync();
        Volatile.Write(ref staff, false);

        var answers = await RawSession.AskAsync(port, Ask.Topic);

        Assert.That(answers, Is.EqualTo([(1L, FrameKind.Refusal, StatusCode.Forbidden)]), "not that the place is taken");
        held.Release();
        Assert.That(await running, Is.EqualTo([(1L, FrameKind.Reply, StatusCode.Ok)]));
    }

    [Test]
    public async Task A_connection_has_four_sessions()
    {
        var (port, held) = (FreePort.Next(), new Held());
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, held.HandleAsync));
        using var http = new HttpClient();
        var open = new List<HttpResponseMessage>();
        for (var i = 0; i < 4; i++)
        {
            using var request = RawSession.Request(port, [Ask.Topic]);
            open.Add(await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).InTime());
        }

        using var another = RawSession.Request(port, [Ask.Topic]);
        using var refused = await http.SendAsync(another).InTime();

        Assert.That(open.Select(o => (int)o.StatusCode), Is.All.EqualTo(200));
        Assert.That((int)refused.StatusCode, Is.EqualTo(503));
        Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("4 sessions"));
        held.Release();
        open.ForEach(o => o.Dispose());
    }

    [Test]
    public async Task A_node_says_how_it_reaches_the_others()
    {
        var (port, callerPort) = (FreePort.Next(), FreePort.Next());
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var caller = await SessionNodes.CallerAsync([port], Listen(callerPort));
        using var metrics = new RecordedMetrics(caller.Services);
        await caller.OpenAsync(server);

        using var http = new HttpClient();
        using var document = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{callerPort}/mesh/v1/node")));
        var connection = document.RootElement.GetProperty("endpoints").EnumerateArray().Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(connection.GetProperty("uses").GetString(), Is.EqualTo("session"));
            Assert.That(connection.GetProperty("address").GetString(), Is.EqualTo($"h2c://127.0.0.1:{port}"));
            Assert.That(connection.GetProperty("node").GetString(), Is.EqualTo(server.Bus.DescribeNode().Id));
            Assert.That(
                metrics.Observe("servicemesh.http.sessions").Select(m => (m.Value, m.Tags.Contains("caller", StringComparison.Ordinal))),
                Has.Some.EqualTo((1.0, true)));
        }
    }

    [Test]
    public async Task The_health_check_counts_sessions_and_exchanges()
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var caller = await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport(),
            [("Transport", "Http"), Service("servers", port), ("Http:Services:servers:Http2", "true")],
            services => services.AddLogging().AddHealthChecks().AddServiceMesh());
        var health = caller.Services.GetRequiredService<HealthCheckService>();
        await caller.OpenAsync(server);

        var data = (await health.CheckHealthAsync()).Entries.Values.Single().Data;

        Assert.That((data["sessions"], data["exchanges"]), Is.EqualTo(((object)1, (object)0)));
    }

    [TestCase("Never", "Auto")]
    [TestCase("Auto", "Never")]
    public async Task A_node_without_sessions_is_reached_by_exchange(string ofServer, string ofCaller)
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(
            port, mesh => mesh.AddHandler(Ask, (input, _) => input), ("Http:Sessions", ofServer));
        await using var caller = await SessionNodes.CallerAsync([port], ("Http:Sessions", ofCaller));

        for (var i = 0; i < 20; i++)
        {
            Assert.That(await caller.Bus.RequestAsync(Ask, $"{i}"), Is.EqualTo($"{i}"));
        }

        if (ofServer == "Never")
        {
            await Failsafe.UntilAsync(() => caller.States().Single().WhyExchange is not null);
            Assert.That(caller.States().Single().WhyExchange, Does.Contain("404").And.Contain("Http:Sessions is Never"));
        }

        Assert.That(caller.States().Single().Uses, Is.EqualTo("exchange"));
    }

    [Test]
    public async Task A_session_that_is_not_used_ends_and_the_next_request_opens_another()
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var caller = await SessionNodes.CallerAsync([port], ("Http:Timeouts:Idle", "00:00:01"));
        await caller.OpenAsync(server);

        await Failsafe.UntilAsync(() => caller.States().Single().WhyExchange?.Contains("not used", StringComparison.Ordinal) == true);

        Assert.That(await caller.Bus.RequestAsync(Ask, "again"), Is.EqualTo("again"));
        await caller.OpenAsync(server);
    }

    [Test]
    public async Task The_load_of_a_node_rides_on_its_replies()
    {
        var (port, held) = (FreePort.Next(), new Held());
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(
            Ask, (string input, HandlerContext context) => input == "hold" ? held.HandleAsync(input, context) : Task.FromResult(input),
            options => options.MaxConcurrency = 4));
        await using var caller = await SessionNodes.CallerAsync([port], ("Http:Health:Interval", "00:01:00"));
        await caller.OpenAsync(server);
        var endpoint = caller.Services.GetRequiredService<ServiceEndpoints>().Of("servers").Single();
        Task<string>[] holding = [caller.Bus.RequestAsync(Ask, "hold"), caller.Bus.RequestAsync(Ask, "hold")];
        await held.EnteredAsync();
        await held.EnteredAsync();
        var before = endpoint.ReportedLoad;

        await caller.Bus.RequestAsync(Ask, "quick");

        Assert.That((before < 0.2, endpoint.ReportedLoad > 0.2), Is.EqualTo((true, true)), $"{before}, {endpoint.ReportedLoad}");
        held.Release();
        await Task.WhenAll(holding);
    }

    [Test]
    public async Task A_cancellation_reaches_the_handler_over_the_session()
    {
        var (port, held) = (FreePort.Next(), new Held());
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, held.HandleAsync));
        await using var caller = await SessionNodes.CallerAsync([port]);
        await caller.OpenAsync(server);
        using var cancel = new CancellationTokenSource();
        var asking = caller.Bus.RequestAsync(Ask, "x", cancel.Token);
        await held.EnteredAsync();

        await cancel.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(() => asking);
        await held.Cancelled;
    }

    // The application's own server in front, so that the test sees each HTTP request.
    private static async Task<WebApplication> WebNodeAsync(
        int port, ConcurrentQueue<string> paths, Action<IServiceMeshBuilder> configure, Action<HttpContext>? seen = null,
        Action<IServiceCollection>? services = null)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, port, options => options.Protocols = HttpProtocols.Http2));
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create<string, string?>("ServiceMesh:Transport", "Http")]);
        configure(builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh")).AddHttpTransport());
        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.Use((http, next) =>
        {
            paths.Enqueue(http.Request.Path);
            seen?.Invoke(http);
            return next(http);
        });
        app.MapServiceMesh();
        await app.StartAsync();
        return app;
    }

    private sealed class Authenticated : IAuthenticateResultFeature
    {
        public AuthenticateResult? AuthenticateResult { get; set; }
    }
}
