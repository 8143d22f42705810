using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>A plain client sees each fault of the fault server as it is documented, and the counters of the server are right.</summary>
[CancelAfter(20_000)]
public sealed class FaultServerTests : IDisposable
{
    private readonly HttpMessageInvoker _http = new(
        new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromMilliseconds(300), UseProxy = false });

    public void Dispose() => _http.Dispose();

    [Test]
    public async Task A_healthy_server_answers_with_what_it_read(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var body = new byte[200_000];
        BytePattern.Fill(body, 0);

        using var response = await PostAsync(server, body, cancellationToken);
        var answer = await response.Content.ReadFromJsonAsync<FaultServerAnswer>(cancellationToken);

        Assert.That(answer, Is.EqualTo(new FaultServerAnswer(
            server.Address, "one", "POST", "/orders?n=1", server.Address, body.Length, true)));
        Assert.That((server.Attempts, server.Executions, server.Connections), Is.EqualTo((1, 1, 1)));
        Assert.That((server.Log.AttemptsOf("one"), server.Log.ExecutionsOf("one")), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_download_is_the_pattern(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();

        using var response = await _http.SendAsync(new(HttpMethod.Get, new Uri(server.Uri, "bytes/300000")), cancellationToken);
        var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken);

        Assert.That((bytes.Length, BytePattern.Matches(bytes, 0), BytePattern.Matches(bytes, 1)), Is.EqualTo((300_000, true, false)));
    }

    [Test]
    public async Task A_killed_server_refuses_and_resets_connections_and_can_come_back(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        (await PostAsync(server, [], cancellationToken)).Dispose(); // leaves a connection in the pool
        using var open = new TcpClient();
        await open.ConnectAsync(IPAddress.Loopback, server.Port, cancellationToken);
        await open.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), cancellationToken);
        await open.GetStream().ReadAtLeastAsync(new byte[1000], 1, true, cancellationToken);

        server.Fault = Fault.Refused;

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => PostAsync(server, [], cancellationToken));
        Assert.That(
            (failure!.HttpRequestError, (failure.InnerException as SocketException)?.SocketErrorCode),
            Is.EqualTo((HttpRequestError.ConnectionError, SocketError.ConnectionRefused)));
        Assert.That(
            async () => { while (await open.GetStream().ReadAsync(new byte[1000], cancellationToken) > 0) { } },
            Throws.TypeOf<IOException>().With.InnerException.Property("SocketErrorCode").EqualTo(SocketError.ConnectionReset));

        server.Fault = Fault.None;
        using var again = await PostAsync(server, [], cancellationToken);
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task A_black_hole_accepts_connections_and_never_answers(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);

        await UnansweredAsync(server, cancellationToken);

        Assert.That((server.Attempts, server.Executions), Is.EqualTo((1, 0)));
    }

    [Test]
    public async Task A_black_hole_of_packets_accepts_no_connection_and_can_come_back(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHoleConnect);

        var failure = await Assert.CatchAsync(() => PostAsync(server, [], cancellationToken));
        Assert.That(failure, Is.InstanceOf<OperationCanceledException>().With.InnerException.TypeOf<TimeoutException>());
        Assert.That((server.Attempts, server.Connections), Is.EqualTo((0, 0)));

        server.Fault = Fault.None;
        using var again = await PostAsync(server, [], cancellationToken);
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task A_close_before_the_answer_comes_after_the_execution(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.CloseBeforeAnswer);

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => PostAsync(server, [1, 2, 3], cancellationToken));

        Assert.That((failure!.HttpRequestError, server.Executions), Is.EqualTo((HttpRequestError.ResponseEnded, 1)));
    }

    [Test]
    public async Task A_reset_before_the_answer_comes_after_the_execution(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.ResetBeforeAnswer);

        await Assert.ThrowsAsync<HttpRequestException>(() => PostAsync(server, [1, 2, 3], cancellationToken));

        Assert.That(server.Executions, Is.EqualTo(1));
    }

    [Test]
    public async Task A_reset_mid_body_comes_after_the_headers_and_half_of_the_body(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.ResetMidBody);

        using var response = await _http.SendAsync(new(HttpMethod.Get, new Uri(server.Uri, "bytes/300000")), cancellationToken);
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var read = 0;
        var failure = await Assert.CatchAsync(async () =>
        {
            int more;
            while ((more = await body.ReadAsync(new byte[1000], cancellationToken)) > 0)
            {
                read += more;
            }
        });

        Assert.That(failure, Is.InstanceOf<IOException>());
        Assert.That(
            (response.StatusCode, response.Content.Headers.ContentLength, read), Is.EqualTo((HttpStatusCode.OK, 300_000L, 150_000)));
    }

    [Test]
    public async Task Slow_headers_come_after_the_pause(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowHeaders);

        await UnansweredAsync(server, cancellationToken);
        server.Pause = TimeSpan.FromMilliseconds(1);
        using var response = await PostAsync(server, [], cancellationToken);

        Assert.That(server.Executions, Is.EqualTo(2));
    }

    [Test]
    public async Task A_slow_body_arrives_in_parts(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowBody);
        server.Pause = TimeSpan.FromMilliseconds(10);

        using var response = await _http.SendAsync(new(HttpMethod.Get, new Uri(server.Uri, "bytes/100")), cancellationToken);
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[100];
        var first = await body.ReadAsync(buffer, cancellationToken);
        await body.ReadExactlyAsync(buffer.AsMemory(first), cancellationToken);

        Assert.That((first, BytePattern.Matches(buffer, 0)), Is.EqualTo((10, true)));
    }

    [TestCase(Fault.Status500, HttpStatusCode.InternalServerError, "application/problem+json", null)]
    [TestCase(Fault.Status503, HttpStatusCode.ServiceUnavailable, "application/problem+json", 7)]
    [TestCase(Fault.HtmlErrorPage, HttpStatusCode.BadGateway, "text/html", null)]
    [TestCase(Fault.HtmlOk, HttpStatusCode.OK, "text/html", null)]
    public async Task An_answer_may_be_an_error_or_a_web_page(
        Fault fault, HttpStatusCode status, string contentType, int? retryAfter, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(fault);
        server.RetryAfter = 7;

        using var response = await PostAsync(server, [], cancellationToken);

        Assert.That(
            (
                response.StatusCode,
                response.Content.Headers.ContentType?.MediaType,
                response.Headers.RetryAfter?.Delta?.TotalSeconds,
                server.Executions),
            Is.EqualTo((status, contentType, (double?)retryAfter, 1)));
    }

    [Test]
    public async Task A_log_of_several_servers_finds_requests_that_ran_twice(CancellationToken cancellationToken)
    {
        var log = new ExecutionLog();
        await using var first = await FaultServer.StartAsync(log: log);
        await using var second = await FaultServer.StartAsync(log: log);

        (await PostAsync(first, [], cancellationToken)).Dispose();
        Assert.That(log.ExecutedTwice, Is.Empty);
        (await PostAsync(second, [], cancellationToken)).Dispose();

        Assert.That(log.ExecutedTwice, Is.EqualTo(["one"]));
        Assert.That((log.Attempts, log.Executions), Is.EqualTo((2, 2)));
    }

    private async Task UnansweredAsync(FaultServer server, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var asking = PostAsync(server, [], patience.Token);
        Assert.That(() => server.Attempts, Is.EqualTo(1).After(10_000, 5));
        await Task.WhenAny(asking, Task.Delay(200, cancellationToken));
        Assert.That(asking.IsCompleted, Is.False);
        await patience.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => asking);
    }

    private Task<HttpResponseMessage> PostAsync(FaultServer server, byte[] body, CancellationToken cancellationToken) => _http.SendAsync(
        new(HttpMethod.Post, new Uri(server.Uri, "orders?n=1"))
        {
            Content = new ByteArrayContent(body),
            Headers = { { "request-id", "one" } },
        },
        cancellationToken);
}
