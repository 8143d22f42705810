using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Servers that are not nodes: those that are called on purpose, and those that are there by mistake.</summary>
public sealed class ForeignServerTests
{
    private static readonly RequestTopic<string, int[]> s_fetch = new("weather.fetch");
    private static readonly int[] s_readings = [11, 29];
    private static readonly int[] s_one = [1];
    private static readonly int[] s_two = [2];

    [Test]
    public async Task Configured_topics_are_posted_to_their_paths()
    {
        var port = FreePort.Next();
        await using var server = await StartServerAsync(port, app => app.MapPost("/api/fetch", async (HttpRequest request) =>
        {
            var city = await request.ReadFromJsonAsync<string>();
            return city == "pune" ? Results.Json(s_readings) : Results.Problem($"No city '{city}'.", statusCode: 422);
        }));
        await using var caller = await StartAsync(
            null, Service("weather", port), ("Http:Services:weather:Topics:weather.fetch", "/api/fetch"));

        var refused = await caller.Bus.TryRequestAsync(s_fetch, "atlantis").InTime();

        Assert.That(await caller.Bus.RequestAsync(s_fetch, "pune").InTime(), Is.EqualTo([11, 29]));
        Assert.That(((int)refused.Status, refused.Failure!.Message), Is.EqualTo((422, "No city 'atlantis'.")));
    }

    [TestCase("static:127.0.0.1:{0};name=::1", "[::1]:{0}")]
    [TestCase("static:127.0.0.1:{0};name=weather.internal", "weather.internal:{0}")]
    [TestCase("static:127.0.0.1:{0}", "127.0.0.1:{0}")]
    public async Task The_host_header_is_the_name_or_an_address_with_brackets(string address, string host)
    {
        var port = FreePort.Next();
        await using var server = await StartServerAsync(
            port, app => app.MapPost("/ask", (HttpRequest request) => Results.Json(request.Headers.Host.ToString())));
        await using var caller = await StartAsync(
            null, ("Http:Services:web:Address", string.Format(
                CultureInfo.InvariantCulture, address, port)), ("Http:Services:web:Topics:test.ask", "/ask"));

        Assert.That(await caller.Bus.RequestAsync(Ask, "").InTime(), Is.EqualTo(string.Format(CultureInfo.InvariantCulture, host, port)));
    }

    [TestCase("""{"receivers":1,"refused":[null]}""", "The receipt, or an item in it, is null.")]
    [TestCase("null", "The receipt, or an item in it, is null.")]
    [TestCase("""{"receivers":1,"refused":null}""", "refused")]
    [TestCase("""{"receivers":1,"refused":[{"group":null,"status":1,"detail":""}]}""", "group")]
    [TestCase("<html>", "'<' is an invalid start of a value")]
    public async Task An_invalid_receipt_is_a_failure_of_that_node_only(string receipt, string why)
    {
        var (bad, good) = (FreePort.Next(), FreePort.Next());
        await using var server = await StartServerAsync(bad, app =>
        {
            MapNode(app);
            app.MapPost("/mesh/v1/signal/test.news", () => Results.Text(receipt, "application/json"));
        });
        await using var listener = await StartAsync(mesh => mesh.AddHandler(News, (_, _) => { }), Listen(good));
        await using var sender = await StartAsync(null, Service("all", bad, good));

        var sent = await sender.Bus.SignalAsync(News, "news").InTime();

        Assert.That(sent.Receivers, Is.EqualTo(1));
        Assert.That(sent.Failures.Single(), Does.Contain($"http://127.0.0.1:{bad}").And.Contain(why));
    }

    [Test]
    public async Task A_node_that_answers_signals_with_500_is_not_ejected()
    {
        var (bad, good) = (FreePort.Next(), FreePort.Next());
        await using var server = await StartServerAsync(bad, app =>
        {
            MapNode(app);
            app.MapPost("/mesh/v1/signal/test.news", (HttpResponse response) =>
            {
                response.Headers["mesh-status"] = "500";
                return Results.StatusCode(500);
            });
        });
        await using var listener = await StartAsync(mesh => mesh.AddHandler(News, (_, _) => { }), Listen(good));
        await using var sender = await StartAsync(null, Service("all", bad, good), ("Http:Ejection:ConsecutiveFailures", "2"));

        for (var i = 0; i < 5; i++)
        {
            Assert.That((await sender.Bus.SignalAsync(News, "news").InTime()).Failures.Single(), Does.Contain("refused it"));
        }

        var endpoints = sender.Services.GetRequiredService<ServiceEndpoints>().Of("all");
        Assert.That(endpoints.Where(e => e.IsEjected), Is.Empty, "a node that reports a failed handler works itself");
    }

    [Test]
    public async Task The_token_is_not_sent_to_a_foreign_server()
    {
        var port = FreePort.Next();
        var told = new ConcurrentBag<string>();
        await using var server = await StartServerAsync(port, app => app.MapFallback((HttpRequest request) =>
        {
            told.Add($"{request.Path} {request.Headers.Authorization}");
            return s_one;
        }));
        await using var caller = await StartAsync(
            null, Service(
                "weather",
                port), ("Http:Services:weather:Topics:weather.fetch", "/fetch"), ("Http:Services:weather:HealthPath", "/healthz"),
            ("Http:Token", "a-secret-of-16-characters-or-more"));

        await caller.Bus.RequestAsync(s_fetch, "pune").InTime();

        Assert.That(told.Distinct(), Is.EquivalentTo(["/fetch ", "/healthz "]));
    }

    [Test]
    public async Task A_service_with_a_health_path_is_not_asked_for_a_node_document()
    {
        var port = FreePort.Next();
        var asked = new ConcurrentBag<string>();
        await using var server = await StartServerAsync(port, app => app.MapFallback((HttpRequest request) =>
        {
            asked.Add(request.Path);
            return s_one;
        }));
        await using var caller = await StartAsync(
            null, Service("weather", port), ("Http:Services:weather:HealthPath", "/healthz"), ("Http:Health:Interval", "00:00:00.1"));
        await Failsafe.UntilAsync(() => Task.FromResult(asked.Count > 1));

        var reply = await caller.Bus.TryRequestAsync(s_fetch, "pune").InTime();

        Assert.That(reply.Status, Is.EqualTo(StatusCode.NotFound), "the service answers no topic, and that is known");
        Assert.That(asked.Distinct(), Is.EqualTo(["/healthz"]));
    }

    [Test]
    public async Task An_unhealthy_foreign_server_receives_no_requests()
    {
        var (sick, well) = (FreePort.Next(), FreePort.Next());
        var isWell = true;
        await using var first = await StartServerAsync(sick, app =>
        {
            app.MapGet("/healthz", () => Volatile.Read(ref isWell) ? Results.Ok() : Results.StatusCode(503));
            app.MapPost("/fetch", () => s_one);
        });
        await using var second = await StartServerAsync(well, app =>
        {
            app.MapGet("/healthz", () => Results.Ok());
            app.MapPost("/fetch", () => s_two);
        });
        await using var caller = await StartAsync(
            null, Service(
                "weather",
                sick,
                well), ("Http:Services:weather:Topics:weather.fetch", "/fetch"), ("Http:Services:weather:HealthPath", "/healthz"),
            ("Http:Services:weather:Balancer", "RoundRobin"), ("Http:Health:Interval", "00:00:00.1"));
        Assert.That(new[] { await FetchAsync(), await FetchAsync() }, Is.EquivalentTo([1, 2]));

        Volatile.Write(ref isWell, false);
        await Failsafe.UntilAsync(async () => (await FetchAsync(), await FetchAsync(), await FetchAsync()) == (2, 2, 2));
        Volatile.Write(ref isWell, true);
        await Failsafe.UntilAsync(async () => await FetchAsync() == 1);

        async Task<int> FetchAsync() => (await caller.Bus.RequestAsync(s_fetch, "").InTime())[0];
    }

    [Test]
    public async Task A_web_page_in_place_of_a_node_is_reported_as_one()
    {
        var port = FreePort.Next();
        await using var server = await StartServerAsync(
            port, app => app.MapFallback(() => Results.Text("<html>Welcome</html>", "text/html")));
        await using var caller = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(FreePort.Next()), Service("weather", port));

        var reply = await caller.Bus.TryRequestAsync(s_fetch, "pune").InTime();

        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(
            reply.Failure!.Message,
            Does.Contain($"http://127.0.0.1:{port} answered 200 with 'text/html").And.Contain("not how a ServiceMesh node answers"));
        Assert.That(await caller.Bus.RequestAsync(Ask, "lives").InTime(), Is.EqualTo("lives"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_server_that_answers_polls_at_once_is_polled_less_often(bool isLoadBalancer)
    {
        var port = FreePort.Next();
        var polls = new ConcurrentQueue<long>();
        await using var server = await StartServerAsync(port, app => app.MapGet("/mesh/v1/node", (HttpResponse response) =>
        {
            polls.Enqueue(Stopwatch.GetTimestamp());
            response.Headers["mesh-status"] = "200";
            return new NodeDocument
            {
                Id = isLoadBalancer ? $"node-{polls.Count % 2}" : "node",
                Name = "",
                Host = "",
                ProcessId = 1,
                Uptime = 1,
                Draining = false,
                Version = 1,
                Load = 0,
                Requests = [],
                Signals = [],
            };
        }));
        await using var caller = await StartAsync(null, Service("weather", port));

        // Pauses of 100, 200 and 400 ms follow two answers that came at once, however slow the machine made those before;
        // timers may be a little early.
        await Failsafe.UntilAsync(() => polls.TakeLast(4).ToArray() is { Length: 4 } last
            && Gap(last, 0) > 90 && Gap(last, 1) > 190 && Gap(last, 2) > 390);
        Assert.That(polls, Has.Count.LessThan(100));
        Assert.That(caller.Log.Has(LogLevel.Warning, "It may be a load balancer"), Is.EqualTo(isLoadBalancer));

        static double Gap(long[] times, int index) => Stopwatch.GetElapsedTime(times[index], times[index + 1]).TotalMilliseconds;
    }

    [TestCase("SSH-2.0-OpenSSH_9.2\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nmesh-status: 200\r\n\r\ngarbage")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nmesh-status: 200\r\n\r\nnull")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 70000000\r\nmesh-status: 200\r\n\r\n{")]
    [TestCase(
        "HTTP/1.1 200 OK\r\nContent-Length: 135\r\nmesh-status: 200\r\n\r\n" +
        "{\"id\":\"a b&c\",\"name\":\"\",\"host\":\"\",\"processId\":1,\"uptime\":1e300," +
        "\"draining\":false,\"version\":1,\"load\":1,\"requests\":[null],\"signals\":[]}   ")]
    [TestCase("")]
    public async Task Garbage_in_place_of_a_node_document_makes_it_unreachable(string garbage)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using var end = new CancellationTokenSource();
        var serving = ServeAsync(listener, Encoding.ASCII.GetBytes(garbage), end.Token);
        await using (var caller = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input),
            Listen(FreePort.Next()),
            Service("weather", port),
            ("Http:Health:Timeout", "00:00:00.5")))
        {
            var reply = await caller.Bus.TryRequestAsync(s_fetch, "pune").InTime();

            Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)), reply.Failure!.Message);
            Assert.That(reply.Failure!.Message, Does.Contain($"http://127.0.0.1:{port}"));
            Assert.That(await caller.Bus.RequestAsync(Ask, "lives").InTime(), Is.EqualTo("lives"));
        }

        await end.CancelAsync();
        await serving;
    }

    private static async Task<WebApplication> StartServerAsync(int port, Action<WebApplication> map)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return app;
    }

    private static async Task ServeAsync(TcpListener listener, byte[] answer, CancellationToken end)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(end);
                await client.GetStream().ReadAtLeastAsync(new byte[4096], 1, throwOnEndOfStream: false, end);
                await client.GetStream().WriteAsync(answer, end);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException)
        {
            // The end, or the caller hung up first.
        }
    }

    // A node that says that it wants the signals of these tests.
    private static void MapNode(WebApplication app) => app.MapGet("/mesh/v1/node", async (HttpRequest request, HttpResponse response) =>
    {
        if (request.Query.ContainsKey("wait"))
        {
            await Task.Delay(
                Timeout.InfiniteTimeSpan,
                request.HttpContext.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        response.Headers["mesh-status"] = "200";
        return new NodeDocument
        {
            Id = "bad",
            Name = "",
            Host = "",
            ProcessId = 1,
            Uptime = 1,
            Draining = false,
            Version = 1,
            Load = 0,
            Requests = [],
            Signals = [new("test.news")],
        };
    });
}
