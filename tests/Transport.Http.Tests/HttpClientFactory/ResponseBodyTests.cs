using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Which part of a response is read within its attempt, and which part the caller reads.</summary>
[CancelAfter(20_000)]
public sealed class ResponseBodyTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public async Task A_response_that_breaks_off_is_requested_again(CancellationToken cancellationToken)
    {
        await using var broken = await FaultServer.StartAsync(Fault.ResetMidBody);
        await using var server = await FaultServer.StartAsync();
        using var services = Services(
            [broken, server], o => o.Services["weather"].Address = $"static:{broken.Address},{server.Address};priority=1");
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var bytes = await http.GetByteArrayAsync(new Uri(s_weather, "bytes/500000"), cancellationToken);

        Assert.That((bytes.Length, BytePattern.Matches(bytes, 0), broken.Executions), Is.EqualTo((500_000, true, 1)));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(65_536)]
    [TestCase(65_537)]
    [TestCase(300_000)]
    public async Task A_response_longer_than_the_limit_becomes_a_stream(int length, CancellationToken cancellationToken)
    {
        await using var server = await StartAsync(async response =>
        {
            // In chunks, so that the length is not announced.
            var chunk = new byte[10_000];
            for (var at = 0; at < length; at += chunk.Length)
            {
                var part = chunk.AsMemory(0, Math.Min(chunk.Length, length - at));
                BytePattern.Fill(part.Span, at);
                await response.Body.WriteAsync(part);
                await response.Body.FlushAsync();
            }
        });
        using var services = Services(server, o => o.HttpClients.ReadAhead = 65_536);
        using var http = new HttpMessageInvoker(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, s_weather);

        using var response = await http.SendAsync(request, cancellationToken);
        var endpoint = services.Find(s_weather)!.Group.Endpoints.Single();
        Assert.That((response.Content is StreamedContent, endpoint.InFlight), Is.EqualTo((length > 65_536, length > 65_536 ? 1 : 0)));
        var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);

        Assert.That((bytes.Length, BytePattern.Matches(bytes, 0), endpoint.InFlight), Is.EqualTo((length, true, 0)));
    }

    [TestCase("text/event-stream")]
    [TestCase("application/grpc-web+proto")]
    [TestCase("application/x-ndjson")]
    [TestCase("multipart/x-mixed-replace; boundary=x")]
    [TestCase("text/plain", 0)]
    public async Task A_streaming_media_type_is_handed_over_as_it_arrives(
        string contentType, int? readAhead = null, CancellationToken cancellationToken = default)
    {
        var rest = new TaskCompletionSource();
        await using var server = await StartAsync(async response =>
        {
            response.ContentType = contentType;
            await response.WriteAsync("data: first\n\n");
            await response.Body.FlushAsync();
            await rest.Task;
            await response.WriteAsync("data: second\n\n");
        });
        using var services = Services(server);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, s_weather);
        if (readAhead is { } bytes)
        {
            request.SetReadAhead(bytes);
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        Assert.That(await reader.ReadLineAsync(cancellationToken), Is.EqualTo("data: first"));
        rest.SetResult();
        Assert.That(await reader.ReadToEndAsync(cancellationToken), Is.EqualTo("\ndata: second\n\n"));
        Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo(contentType));
    }

    [TestCase(4, 4, Description = "the time of the request is over")]
    [TestCase(30, 10, Description = "the time of the attempt is over, after a pause of 10 seconds")]
    public async Task A_response_that_outlasts_its_time_becomes_a_stream(int total, int pause, CancellationToken cancellationToken)
    {
        var (rest, requests) = (new TaskCompletionSource(), 0);
        await using var server = await StartAsync(async response =>
        {
            Interlocked.Increment(ref requests);
            await response.WriteAsync("first, ");
            await response.Body.FlushAsync();
            await rest.Task;
            await response.WriteAsync("second");
        });
        var time = new FakeTimeProvider();
        var clock = new IdleTimers(TimeSpan.FromSeconds(47), time);
        using var http = new HttpClient(new ServiceMeshHandler(
            new() { Services = { ["weather"] = new() { Address = server.Urls.Single() } }, Timeouts = { Idle = clock.Time } },
            clock: clock));
        using var request = new HttpRequestMessage(HttpMethod.Get, s_weather);
        request.SetTotalTimeout(TimeSpan.FromSeconds(total));

        var sending = http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await ServiceMeshHandlerTests.UntilAsync(() => clock.Set > 0, cancellationToken); // the body is read, and has not ended
        time.Advance(TimeSpan.FromSeconds(pause));
        using var response = await sending;
        rest.SetResult();

        Assert.That((await response.Content.ReadAsStringAsync(cancellationToken), requests), Is.EqualTo(("first, second", 1)));
    }

    // Also one that has been silent for as long as the attempt lasted: it may be a good answer that pauses.
    [TestCase(false, true)]
    [TestCase(true, false)]
    public void An_answer_is_handed_over_unless_its_caller_has_cancelled(bool isCancelled, bool expected)
    {
        using var services = ServiceMeshHandlerTests.Services([]);
        using var request = new HttpRequestMessage(HttpMethod.Get, s_weather);
        var call = HttpCall.Of(request, services.Find(s_weather)!, new(), isSync: false, new CancellationToken(isCancelled));

        Assert.That(call.MayHandOver(), Is.EqualTo(expected));
    }

    [Test]
    public async Task A_silent_stream_ends_with_the_idle_timeout(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowBody);
        using var services = Services([server], o => (o.HttpClients.ReadAhead, o.Timeouts.Idle) = (0, TimeSpan.FromMilliseconds(200)));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        using var response = await http.GetAsync(s_weather, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var endpoint = services.Find(s_weather)!.Group.Endpoints.Single();
        Assert.That(endpoint.InFlight, Is.EqualTo(1));
        var failure = await Assert.CatchAsync<Exception>(() => response.Content.ReadAsByteArrayAsync(cancellationToken));

        var timeout = PhaseTimeoutException.In(failure);
        Assert.That(
            (timeout?.Phase, timeout?.Limit, timeout?.Endpoint),
            Is.EqualTo((TimeoutPhase.Idle, TimeSpan.FromMilliseconds(200), $"http://{server.Address}")),
            failure!.ToString());
        Assert.That((endpoint.InFlight, endpoint.LastFailed), Is.EqualTo((0, true)));
    }

    [Test]
    public async Task Streams_that_break_off_open_the_circuit(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.ResetMidBody);
        using var services = Services([server], o =>
        {
            o.HttpClients.ReadAhead = 0;
            (o.CircuitBreaker.MinimumRequestThreshold, o.CircuitBreaker.FailureRateThreshold) = (1, 0); // any failure, at the next count
            (
                o.CircuitBreaker.CounterSlidingWindow,
                o.CircuitBreaker.CounterUpdateInterval) = (TimeSpan.FromMilliseconds(900), TimeSpan.FromMilliseconds(1));
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        HttpRequestException? refusal = null;
        while (refusal?.InnerException is not CircuitOpenException)
        {
            try
            {
                using var response = await http.GetAsync(
                    new Uri(s_weather, "bytes/500000"), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
                await Assert.CatchAsync<Exception>(() => response.Content.ReadAsByteArrayAsync(cancellationToken));
            }
            catch (HttpRequestException failure)
            {
                refusal = failure;
            }
        }

        Assert.That(services.Find(s_weather)!.Group.Endpoints.Single() is { LastFailed: true, InFlight: 0 });
    }

    [Test]
    public async Task A_caller_that_cancels_while_a_stream_is_buffered_does_not_wait_for_it(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowBody);
        using var services = Services([server], o => o.HttpClients.ReadAhead = 0);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var asking = http.GetAsync(s_weather, caller.Token);
        await ServiceMeshHandlerTests.UntilAsync(
            () => services.Find(s_weather)!.Group?.Endpoints is [{ InFlight: 1, LastSuccess: > 0 }], cancellationToken);

        await caller.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => asking);
        Assert.That(services.Find(s_weather)!.Group.Endpoints.Single() is { InFlight: 0, LastFailed: false });
    }

    [Test]
    public async Task A_stream_that_trickles_is_not_silent(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowBody);
        server.Pause = TimeSpan.FromMilliseconds(60);
        using var services = Services([server], o => (o.HttpClients.ReadAhead, o.Timeouts.Idle) = (0, TimeSpan.FromMilliseconds(400)));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        var bytes = await http.GetByteArrayAsync(new Uri(s_weather, "bytes/1000"), cancellationToken); // 600 ms and more

        Assert.That((bytes.Length, BytePattern.Matches(bytes, 0)), Is.EqualTo((1000, true)));
    }

    [Test]
    public async Task A_response_that_is_dropped_unread_ends_its_attempt(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = Services([server], o => o.HttpClients.ReadAhead = 0);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        var response = await http.GetAsync(
            new Uri(s_weather, "bytes/10000000"), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var endpoint = services.Find(s_weather)!.Group.Endpoints.Single();
        Assert.That(endpoint.InFlight, Is.EqualTo(1));

        response.Dispose();

        Assert.That((endpoint.InFlight, endpoint.LastFailed), Is.EqualTo((0, false)));
    }

    [Test]
    public async Task Responses_that_break_off_during_read_ahead_share_one_timer(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.ResetMidBody);
        var clock = new IdleTimers(TimeSpan.FromSeconds(47));
        var options = ServiceMeshHandlerTests.Options([server]);
        (options.Timeouts.Idle, options.Retry.Attempts) = (clock.Time, 1);
        using var http = new HttpClient(new ServiceMeshHandler(options, clock: clock));

        for (var i = 0; i < 5; i++)
        {
            await Assert.CatchAsync<Exception>(() => http.GetAsync(new Uri(s_weather, "bytes/500000"), cancellationToken));
        }

        Assert.That((clock.Set, clock.Alive), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_stream_counts_for_its_endpoint_and_not_for_the_client_limit(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = Services(
            [server], o => (o.HttpClients.ReadAhead, o.Limits.Concurrency, o.Limits.ConcurrencyPerEndpoint) = (0, 1, 1));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var response = await http.GetAsync(
            new Uri(s_weather, "bytes/10000000"), HttpCompletionOption.ResponseHeadersRead, cancellationToken);

        var refusal = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(s_weather, cancellationToken));

        Assert.That(
            refusal!.Message, Does.Contain("has 1 requests in flight from this node").And.Contain("Http:Limits:ConcurrencyPerEndpoint"));
    }

    [Test]
    public async Task The_response_has_the_headers_of_the_server(CancellationToken cancellationToken)
    {
        await using var server = await StartAsync(async response =>
        {
            response.Headers["x-own"] = "a";
            response.Headers["Content-Language"] = "de";
            response.ContentType = "text/plain; charset=iso-8859-1";
            await response.Body.WriteAsync(Encoding.Latin1.GetBytes("grün"));
        });
        using var services = Services(server);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        using var response = await http.GetAsync(s_weather, cancellationToken);

        Assert.That(
            (response.Headers.GetValues("x-own").Single(), response.Content.Headers.ContentLanguage.Single()), Is.EqualTo(("a", "de")));
        Assert.That(await response.Content.ReadAsStringAsync(cancellationToken), Is.EqualTo("grün"));
    }

    [TestCase("HEAD")]
    [TestCase("GET", 204)]
    [TestCase("GET", 304)]
    public async Task A_response_without_a_body_is_complete_with_its_headers(
        string method, int status = 200, CancellationToken cancellationToken = default)
    {
        await using var server = await StartAsync(response =>
        {
            response.StatusCode = status;
            return Task.CompletedTask;
        });
        using var services = Services(server, o => o.HttpClients.ReadAhead = 0);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(new(method), s_weather);

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);

        Assert.That(((int)response.StatusCode, services.Find(s_weather)!.Group.Endpoints.Single().InFlight), Is.EqualTo((status, 0)));
    }

    private static async Task<WebApplication> StartAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return app;
    }

    private static Task<WebApplication> StartAsync(Func<HttpResponse, Task> answer) =>
        StartAsync((HttpContext context) => answer(context.Response));

    private static ClientServices Services(
        WebApplication server, Action<HttpTransportOptions>? configure = null) => ServiceMeshHandlerTests.Services([], o =>
    {
        o.Services["weather"].Address = server.Urls.Single();
        configure?.Invoke(o);
    });

    private static ClientServices Services(IEnumerable<FaultServer> servers, Action<HttpTransportOptions>? configure = null) =>
        ServiceMeshHandlerTests.Services(servers, configure);

    // A clock that counts the timers that are set to one time and were not disposed.
    private sealed class IdleTimers(TimeSpan time, TimeProvider? clock = null) : TimeProvider
    {
        private int _set;
        private int _disposed;

        public TimeSpan Time => time;

        public int Set => Volatile.Read(ref _set);

        public int Alive => Set - Volatile.Read(ref _disposed);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new Counted(this, (clock ?? System).CreateTimer(callback, state, dueTime, period));

        public override long TimestampFrequency => (clock ?? System).TimestampFrequency;

        public override long GetTimestamp() => (clock ?? System).GetTimestamp();

        public override DateTimeOffset GetUtcNow() => (clock ?? System).GetUtcNow();

        private sealed class Counted(IdleTimers clock, ITimer timer) : ITimer
        {
            private int _isSet;

            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                if (dueTime == clock.Time && Interlocked.Exchange(ref _isSet, 1) == 0)
                {
                    Interlocked.Increment(ref clock._set);
                }

                return timer.Change(dueTime, period);
            }

            public void Dispose()
            {
                if (Interlocked.Exchange(ref _isSet, 0) == 1)
                {
                    Interlocked.Increment(ref clock._disposed);
                }

                timer.Dispose();
            }

            public ValueTask DisposeAsync()
            {
                Dispose();
                return default;
            }
        }
    }
}
