using System.Net;
using System.Net.Http.Json;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>An ordinary HttpClient whose handler is the mesh's, against real servers.</summary>
[CancelAfter(20_000)]
public sealed class ServiceMeshHandlerTests
{
    [Test]
    public async Task The_name_of_a_service_becomes_one_of_its_servers(CancellationToken cancellationToken)
    {
        await using var first = await FaultServer.StartAsync();
        await using var second = await FaultServer.StartAsync();
        using var http = Client([first, second], o => o.Services["weather"].Balancer = "RoundRobin");

        var answers = new[]
        {
            await http.GetFromJsonAsync<FaultServerAnswer>("http://weather/pune?day=1", cancellationToken),
            await http.GetFromJsonAsync<FaultServerAnswer>("http://WEATHER/pune?day=1", cancellationToken),
        };

        Assert.That(answers.Select(a => a!.Server), Is.EquivalentTo([first.Address, second.Address]));
        Assert.That(answers.Select(a => (a!.Path, a.Host == a.Server)), Is.All.EqualTo(("/pune?day=1", true)));
    }

    [Test]
    public async Task The_response_refers_to_the_request_of_the_caller(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = Client([server]);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/pune");

        using var response = await http.SendAsync(request, cancellationToken);

        Assert.That(response.RequestMessage, Is.SameAs(request));
        Assert.That(request.RequestUri, Is.EqualTo(new Uri("http://weather/pune")));
    }

    [TestCase("http://climate/")]
    [TestCase("http://weather:8080/")]
    [TestCase("http://weather.internal/")]
    [TestCase("ftp://weather/")]
    public async Task A_request_to_another_host_is_not_changed(string uri, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var beyond = new Beyond();
        using var handler = new ServiceMeshHandler(Options([server])) { InnerHandler = beyond };
        using var http = new HttpMessageInvoker(handler);
        using var request = new HttpRequestMessage(HttpMethod.Get, uri);

        using var response = await http.SendAsync(request, cancellationToken);

        Assert.That(beyond.Seen, Is.SameAs(request));
        Assert.That(server.Attempts, Is.Zero);
    }

    [Test]
    public async Task Https_is_never_sent_without_TLS(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(); // which speaks none
        using var http = Client([server]);

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("https://weather/"), cancellationToken));

        Assert.That(failure!.HttpRequestError, Is.EqualTo(HttpRequestError.SecureConnectionError), failure.ToString());
        Assert.That(server.Attempts, Is.Zero);
    }

    [Test]
    public async Task A_synchronous_caller_is_served(CancellationToken cancellationToken)
    {
        await using var refusing = await FaultServer.StartAsync(Fault.Refused);
        await using var server = await FaultServer.StartAsync();
        using var http = Client(
            [refusing, server], o => o.Services["weather"].Address = $"static:{refusing.Address},{server.Address};priority=1");
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/pune");

        using var response = http.Send(request, cancellationToken);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public void Invalid_options_are_refused_at_once() => Assert.That(
        () => new ServiceMeshHandler(
            new() { Services = { ["weather"] = new() { Address = "static:nowhere" } }, HttpClients = { ReadAhead = -1 } }),
        Throws.InvalidOperationException.With.Message.Contains("ServiceMesh:Http:Services:weather:Address")
            .And.Message.Contains("ServiceMesh:Http:HttpClients:ReadAhead is -1"));

    [Test]
    public async Task A_request_to_a_service_without_an_address_names_the_reason(CancellationToken cancellationToken)
    {
        using var file = new TemporaryFile("[]");
        using var http = Client([], o => o.Services["weather"].Address = $"file:{file.Path}");

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("http://weather/"), cancellationToken));

        Assert.That(failure!.Message, Does.Contain("Service 'weather' has no endpoint").And.Contain(file.Path));
        Assert.That(failure.InnerException, Is.TypeOf<RequestNotSentException>());
    }

    [Test]
    public async Task The_last_answer_of_a_server_is_the_response(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status500);
        using var http = Client([server]);

        using var response = await http.GetAsync(new Uri("http://weather/"), cancellationToken);

        Assert.That((response.StatusCode, server.Attempts), Is.EqualTo((HttpStatusCode.InternalServerError, 3)));
        Assert.That(await response.Content.ReadAsStringAsync(cancellationToken), Does.Contain("A fault of the test."));
    }

    [Test]
    public async Task A_caller_that_cancels_receives_a_cancellation(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);
        using var http = Client([server]);
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var asking = http.GetAsync(new Uri("http://weather/"), caller.Token);
        await UntilAsync(() => server.Attempts == 1, cancellationToken);

        await caller.CancelAsync();

        var failure = await Assert.CatchAsync<OperationCanceledException>(() => asking);
        Assert.That((failure!.CancellationToken, server.Attempts), Is.EqualTo((caller.Token, 1)));
        Assert.That(PhaseTimeoutException.In(failure), Is.Null);
    }

    // Without an HttpClient, which changes the type itself.
    [TestCase("before it is sent")]
    [TestCase("while the addresses are unknown")]
    [TestCase("before the headers")]
    [TestCase("while the body is read")]
    public async Task A_cancellation_has_the_type_of_the_platform(string when, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(when == "while the body is read" ? Fault.SlowBody : Fault.BlackHole);
        await using var dns = ScriptedDnsServer.Start(_ => []);
        using var services = Services([server], o =>
        {
            (o.Dns.Servers, o.Timeouts.Connect, o.HttpClients.ReadAhead) = ($"{dns.EndPoint}", TimeSpan.FromSeconds(60), 0);
            o.Services["weather"].Address = when == "while the addresses are unknown"
                ? "dns://weather.internal:80" : o.Services["weather"].Address;
        });
        using var http = new HttpMessageInvoker(new ServiceMeshHandler(services, isOwner: false));
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        if (when == "before it is sent")
        {
            await caller.CancelAsync();
        }

        async Task AskAsync()
        {
            using var response = await http.SendAsync(request, caller.Token);
            using var body = await response.Content.ReadAsStreamAsync(caller.Token);
            await body.CopyToAsync(Stream.Null, caller.Token);
        }

        var asking = AskAsync();
        await UntilAsync(() => when is "before it is sent" or "while the addresses are unknown" || server.Attempts == 1, cancellationToken);
        await caller.CancelAsync();

        var failure = await Assert.CatchAsync<Exception>(() => asking);
        Assert.That(
            (failure!.GetType(), ((OperationCanceledException)failure).CancellationToken),
            Is.EqualTo((typeof(TaskCanceledException), caller.Token)), failure.ToString());
    }

    [Test]
    public async Task A_disposed_handler_refuses_requests()
    {
        var handler = new ServiceMeshHandler(Options([]));
        using var http = new HttpMessageInvoker(handler, disposeHandler: false);
        handler.Dispose();
        handler.Dispose();

        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        await Assert.ThatAsync(() => http.SendAsync(request, default), Throws.TypeOf<ObjectDisposedException>());
    }

    [TestCase(false, 1)]
    [TestCase(true, 2)]
    public async Task A_POST_is_sent_again_when_it_has_a_key(bool hasKey, int executions, CancellationToken cancellationToken)
    {
        await using var broken = await FaultServer.StartAsync(Fault.ResetBeforeAnswer);
        await using var server = await FaultServer.StartAsync(log: broken.Log);
        using var http = Client(
            [broken, server], o => o.Services["weather"].Address = $"static:{broken.Address},{server.Address};priority=1");
        using var request = new HttpRequestMessage(
            HttpMethod.Post, "http://weather/orders")
        { Content = new StringContent("one"), Headers = { { "request-id", "one" } } };
        if (hasKey)
        {
            request.Headers.Add("Idempotency-Key", "one");
        }

        var answer = await StatusAsync(http.SendAsync(request, cancellationToken));

        Assert.That((answer, broken.Log.ExecutionsOf("one")), Is.EqualTo((hasKey ? "OK" : "HttpRequestException", executions)));
    }

    // Without a body the platform would send it once more by itself: the connection was used before, and was closed.
    [Test]
    public async Task A_plain_request_without_a_body_is_not_sent_again_on_a_connection_that_closes(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = Client([server]);
        (await http.PostAsync(new Uri("http://weather/"), null, cancellationToken)).Dispose();
        server.Fault = Fault.CloseBeforeAnswer;
        using var request = new HttpRequestMessage(HttpMethod.Post, "http://weather/orders") { Headers = { { "request-id", "two" } } };

        Assert.That(await StatusAsync(http.SendAsync(request, cancellationToken)), Is.EqualTo("HttpRequestException"));
        Assert.That((server.Log.ExecutionsOf("two"), server.Connections), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_stream_is_sent_elsewhere_while_it_was_not_read(CancellationToken cancellationToken)
    {
        await using var refusing = await FaultServer.StartAsync(Fault.Refused);
        await using var server = await FaultServer.StartAsync();
        using var http = Client(
            [refusing, server], o => o.Services["weather"].Address = $"static:{refusing.Address},{server.Address};priority=1");

        using var response = await http.PutAsync(new Uri("http://weather/"), new StreamContent(new Once("a stream")), cancellationToken);

        Assert.That((await response.Content.ReadFromJsonAsync<FaultServerAnswer>(cancellationToken))!.Length, Is.EqualTo(8));
    }

    [TestCase(null, "HttpRequestException")]
    [TestCase(true, "OK")]
    public async Task A_stream_that_was_read_is_sent_again_only_if_the_caller_allows_it(
        bool? isRepeatable, string expected, CancellationToken cancellationToken)
    {
        await using var broken = await FaultServer.StartAsync(Fault.ResetBeforeAnswer);
        await using var server = await FaultServer.StartAsync();
        using var http = Client(
            [broken, server], o => o.Services["weather"].Address = $"static:{broken.Address},{server.Address};priority=1");
        using var request = new HttpRequestMessage(
            HttpMethod.Put, "http://weather/")
        { Content = new StreamContent(new MemoryStream("a stream"u8.ToArray())) };
        if (isRepeatable is { } said)
        {
            request.SetRepeatableBody(said);
        }

        var status = await StatusAsync(http.SendAsync(request, cancellationToken));

        Assert.That((status, broken.Executions, server.Executions), Is.EqualTo((expected, 1, isRepeatable is null ? 0 : 1)));
    }

    [Test]
    public async Task Each_request_may_have_its_own_rules(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status503);
        server.RetryAfter = null;
        using var http = Client([server]);

        async Task<int> AttemptsAsync(Func<HttpRequestMessage, HttpRequestMessage> set)
        {
            var before = server.Attempts;
            using var request = set(new(HttpMethod.Get, "http://weather/"));
            await StatusAsync(http.SendAsync(request, cancellationToken));
            return server.Attempts - before;
        }

        Assert.That(await AttemptsAsync(r => r), Is.EqualTo(3));
        Assert.That(await AttemptsAsync(r => r.SetRetry(new() { Attempts = 2 })), Is.EqualTo(2));
        Assert.That(await AttemptsAsync(r => r.SetRetry(new() { RetryOn = status => status == StatusCode.HandlerFailed })), Is.EqualTo(1));
        Assert.That(await AttemptsAsync(r => r.SetIdempotent(false)), Is.EqualTo(1));
    }

    [Test]
    public async Task The_total_timeout_ends_a_request_that_has_attempts_left(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);
        using var http = Client([server]);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");

        var failure = await Assert.ThrowsAsync<TaskCanceledException>(
            () => http.SendAsync(request.SetTotalTimeout(TimeSpan.FromMilliseconds(200)), cancellationToken));

        Assert.That(failure!.InnerException, Is.TypeOf<PhaseTimeoutException>().With.Property("Phase").EqualTo(TimeoutPhase.Total));
        Assert.That(failure.Message, Does.Contain("0.2 s").And.Contain(server.Address));
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(864_000_000_001)] // a day and a tick
    [TestCase(long.MaxValue)]
    public void A_total_timeout_outside_its_range_is_refused(long ticks)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");

        Assert.That(() => request.SetTotalTimeout(TimeSpan.FromTicks(ticks)), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public async Task A_request_may_set_the_maximum_total_timeout_and_an_infinite_hedge(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var http = Client([server]);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");

        var status = await StatusAsync(http.SendAsync(
            request.SetTotalTimeout(TimeSpan.FromDays(1)).SetRetry(new() { HedgeAfter = TimeSpan.MaxValue }), cancellationToken));

        Assert.That((status, server.Attempts), Is.EqualTo(("OK", 1)));
    }

    [Test]
    public async Task The_total_timeout_includes_the_wait_for_the_first_addresses(CancellationToken cancellationToken)
    {
        await using var dns = ScriptedDnsServer.Start(_ => []);
        using var services = Services(
            [], o => (o.Services["weather"].Address, o.Dns.Servers, o.Timeouts.Connect) =
                ("dns://weather.internal:80", $"{dns.EndPoint}", TimeSpan.FromSeconds(60)));
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");

        var failure = await Assert.ThrowsAsync<TaskCanceledException>(
            () => http.SendAsync(request.SetTotalTimeout(TimeSpan.FromMilliseconds(100)), cancellationToken));

        Assert.That(failure!.InnerException, Is.TypeOf<PhaseTimeoutException>().With.Property("Phase").EqualTo(TimeoutPhase.Total));
    }

    [Test]
    public async Task Requests_that_wait_for_the_first_addresses_count_for_the_client_limit(CancellationToken cancellationToken)
    {
        await using var dns = ScriptedDnsServer.Start(_ => []);
        using var services = Services([], o =>
        {
            (o.Services["weather"].Address, o.Dns.Servers) = ("dns://weather.internal:80", $"{dns.EndPoint}");
            (o.Timeouts.Connect, o.Limits.Concurrency) = (TimeSpan.FromSeconds(60), 1);
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = http.GetAsync(new Uri("http://weather/"), caller.Token);

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("http://weather/"), cancellationToken));
        await caller.CancelAsync();

        Assert.That(refused!.InnerException, Is.TypeOf<RequestNotSentException>().With.Message.Contains("Http:Limits:Concurrency"));
        await Assert.CatchAsync<OperationCanceledException>(() => waiting);
    }

    [Test]
    public async Task The_key_of_a_request_chooses_its_server(CancellationToken cancellationToken)
    {
        await using var first = await FaultServer.StartAsync();
        await using var second = await FaultServer.StartAsync();
        using var http = Client([first, second], o => o.Services["weather"].Balancer = "ConsistentHash");

        async Task<string> ServerOfAsync(Func<HttpRequestMessage, HttpRequestMessage> set)
        {
            using var request = set(new(HttpMethod.Get, "http://weather/"));
            using var response = await http.SendAsync(request, cancellationToken);
            return (await response.Content.ReadFromJsonAsync<FaultServerAnswer>(cancellationToken))!.Server;
        }

        var servers = new Dictionary<string, string>();
        foreach (var key in Enumerable.Range(0, 20).Select(i => $"customer-{i}"))
        {
            servers[key] = await ServerOfAsync(r => r.SetBalancingKey(key));
            Assert.That(await ServerOfAsync(r => r.SetBalancingKey(key)), Is.EqualTo(servers[key]));
            Assert.That(await ServerOfAsync(r => { r.Headers.Add("partition-key", key); return r; }), Is.EqualTo(servers[key]));
        }

        Assert.That(servers.Values.Distinct().Count(), Is.EqualTo(2));
    }

    [Test]
    public async Task A_hedge_asks_a_second_server_and_cancels_the_slow_attempt(CancellationToken cancellationToken)
    {
        await using var slow = await FaultServer.StartAsync(Fault.SlowHeaders);
        await using var server = await FaultServer.StartAsync();
        using var services = Services([slow, server], o => o.Services["weather"].Balancer = "RoundRobin");
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        foreach (var _ in Enumerable.Range(0, 2)) // one of them begins at the slow one
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
            using var response = await http.SendAsync(
                request.SetRetry(new() { HedgeAfter = TimeSpan.FromMilliseconds(50) }), cancellationToken);
            Assert.That(
                (await response.Content.ReadFromJsonAsync<FaultServerAnswer>(cancellationToken))!.Server, Is.EqualTo(server.Address));
        }

        await UntilAsync(() => services.Find(new("http://weather/"))!.Group.Endpoints.All(e => e.InFlight == 0), cancellationToken);
    }

    internal static HttpTransportOptions Options(IEnumerable<FaultServer> servers) =>
        new() { Services = { ["weather"] = new() { Address = AddressOf(servers) } } };

    internal static ClientServices Services(IEnumerable<FaultServer> servers, Action<HttpTransportOptions>? configure = null)
    {
        var options = Options(servers);
        configure?.Invoke(options);
        return new(options, null, null, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, TimeProvider.System);
    }

    internal static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition())
        {
            await Task.Delay(5, cancellationToken);
        }
    }

    private static HttpClient Client(IEnumerable<FaultServer> servers, Action<HttpTransportOptions>? configure = null)
    {
        var options = Options(servers);
        configure?.Invoke(options);
        return new(new ServiceMeshHandler(options));
    }

    private static async Task<string> StatusAsync(Task<HttpResponseMessage> sending)
    {
        try
        {
            using var response = await sending;
            return response.StatusCode.ToString();
        }
        catch (HttpRequestException failure)
        {
            return failure.GetType().Name;
        }
    }

    private sealed class Beyond : HttpMessageHandler
    {
        public HttpRequestMessage? Seen { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Seen = request;
            return Task.FromResult(new HttpResponseMessage());
        }
    }

    // A stream that cannot go back, as one from a network.
    private sealed class Once(string text) : MemoryStream(System.Text.Encoding.UTF8.GetBytes(text))
    {
        public override bool CanSeek => false;
    }

    private static string AddressOf(IEnumerable<FaultServer> servers) =>
        $"static:{string.Join(',', servers.Select(s => s.Address).DefaultIfEmpty("127.0.0.1:1"))}";
}
