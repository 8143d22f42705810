using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>An attempt's message knows whether something of it was sent.</summary>
public sealed class AttemptRequestTests
{
    [Test]
    public async Task A_request_without_its_own_headers_notices_that_it_is_sent(
        [Values] bool isHttp2, [Values("GET", "POST")] string method)
    {
        await using var server = await StartAsync(isHttp2 ? HttpProtocols.Http2 : HttpProtocols.Http1);
        using var request = new HttpRequestMessage(new(method), "http://weather/");
        using var attempt = AttemptMessage.Make(request, null, TargetOf(server.Urls.Single(), isHttp2));
        using var connections = new ConnectionPool(new(), ClientTls.Usual, TimeProvider.System, new Random(1));
        var before = attempt.HasBegun;

        using var response = await connections.SendAsync(attempt, TimeSpan.Zero, "here", default).InTime();

        Assert.That((before, attempt.HasBegun, response.StatusCode), Is.EqualTo((false, true, HttpStatusCode.NotFound)));
    }

    // Without a header it would not notice that it begins.
    [TestCase("127.0.0.1", null, "127.0.0.1:5080")]
    [TestCase("::1", null, "[::1]:5080")]
    [TestCase("127.0.0.1", "weather.internal", "weather.internal:5080")]
    public void An_attempt_without_other_headers_has_a_host_header(string address, string? name, string host)
    {
        var endpoint = new Endpoint(new(address, 5080) { Name = name }, TimeProvider.System);

        var target = new HttpTarget(endpoint, IsTls: false, IsHttp2: false, IsForeign: true, "here");

        using var attempt = new AttemptRequest(HttpMethod.Get, new($"http://{endpoint}/"), target);
        attempt.SetHeader(target);

        Assert.That(attempt.Headers.Host, Is.EqualTo(host));
    }

    // As HttpClient sends it: a server that compares the header with its own name finds no port there.
    [TestCase("127.0.0.1", null, 80, false, "127.0.0.1")]
    [TestCase("127.0.0.1", "weather.internal", 80, false, "weather.internal")]
    [TestCase("::1", null, 443, true, "[::1]")]
    [TestCase("127.0.0.1", "weather.internal", 443, true, "weather.internal")]
    [TestCase("127.0.0.1", null, 443, false, "127.0.0.1:443")]
    [TestCase("::1", null, 80, true, "[::1]:80")]
    public void The_host_header_has_no_default_port(string address, string? name, int port, bool isTls, string host)
    {
        var endpoint = new Endpoint(new(address, port) { Name = name }, TimeProvider.System);

        var target = new HttpTarget(endpoint, isTls, IsHttp2: false, IsForeign: true, "here");

        using var attempt = new AttemptRequest(HttpMethod.Get, new($"{(isTls ? "https" : "http")}://{endpoint}/"), target);
        attempt.SetHeader(target);

        Assert.That(attempt.Headers.Host, Is.EqualTo(host));
    }

    [Test]
    public async Task A_cancellation_during_the_handshake_says_that_nothing_was_sent()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        using var attempt = AttemptMessage.Make(request, null, TargetOf($"https://{silent.LocalEndpoint}"));
        using var connections = new ConnectionPool(new(), ClientTls.Usual, TimeProvider.System, new Random(1));
        using var cancel = new CancellationTokenSource();
        // The limit of the headers begins with the request.
        var sending = connections.SendAsync(attempt, TimeSpan.FromMilliseconds(1), "here", cancel.Token);
        using var accepted = await silent.AcceptTcpClientAsync().InTime();
        Assert.That(await accepted.GetStream().ReadAsync(new byte[1]).AsTask().InTime(), Is.EqualTo(1), "the beginning of a handshake");

        await cancel.CancelAsync();

        var failure = await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That(
            (attempt.HasBegun, NothingSentException.PhaseIn(connections.Cancelled(attempt, failure!, cancel.Token))),
            Is.EqualTo((false, (TimeoutPhase?)TimeoutPhase.Tls)));
    }

    private static HttpTarget TargetOf(string url, bool isHttp2 = false)
    {
        var uri = new Uri(url);
        return new(new(new(uri.Host, uri.Port), TimeProvider.System), IsTls: uri.Scheme == "https", isHttp2, IsForeign: true, url);
    }

    private static async Task<WebApplication> StartAsync(HttpProtocols protocols)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocols));
        var app = builder.Build();
        await app.StartAsync();
        return app;
    }
}
