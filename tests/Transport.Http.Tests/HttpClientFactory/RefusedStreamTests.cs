using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// A server of HTTP/2 that refuses streams (RFC 9113, 8.7): nothing was processed, and the platform sends such a request again by itself.
/// </summary>
[CancelAfter(30_000)]
public sealed class RefusedStreamTests
{
    private const int RefusedStream = 7;

    private static readonly Uri s_weather = new("http://weather/");

    [TestCase("POST")]
    [TestCase("PUT")]
    public async Task A_stream_that_can_go_back_is_sent_again_as_by_a_plain_client(string method, CancellationToken cancellationToken)
    {
        var refused = new ConcurrentDictionary<string, bool>();
        await using var server = await StartAsync(context => refused.TryAdd(context.Request.Headers["request-id"].ToString(), true));
        using var services = Services(server);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        for (var i = 0; i < 20; i++)
        {
            using var request = new HttpRequestMessage(new(method), s_weather)
            {
                Content = new StreamContent(new MemoryStream("a stream"u8.ToArray())),
                Headers = { { "request-id", $"{i}" } },
            };
            using var response = await http.SendAsync(request, cancellationToken);
            Assert.That(await response.Content.ReadAsStringAsync(cancellationToken), Is.EqualTo("8 bytes"));
        }

        Assert.That((refused.Count, EndpointOf(services).Breaker.State), Is.EqualTo((20, CircuitState.Closed)));
    }

    [Test]
    public async Task A_stream_that_cannot_go_back_is_not_sent_in_part(CancellationToken cancellationToken)
    {
        var refused = new ConcurrentDictionary<string, bool>();
        await using var server = await StartAsync(context => refused.TryAdd("one", true));
        using var services = Services(server);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        await Assert.CatchAsync<Exception>(
            () => http.PutAsync(s_weather, new StreamContent(new Once("a stream"u8.ToArray())), cancellationToken));

        Assert.That((EndpointOf(services).LastFailed, EndpointOf(services).InFlight), Is.EqualTo((false, 0)));
    }

    [Test]
    public async Task Refused_streams_are_not_held_against_the_endpoint([Values] bool hasBody, CancellationToken cancellationToken)
    {
        await using var server = await StartAsync(_ => true);
        using var services = Services(server);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        for (var i = 0; i < 20; i++)
        {
            using var content = hasBody ? new StringContent("text") : null;
            var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.PostAsync(s_weather, content, cancellationToken));
            Assert.That(failure!.Message, Does.Contain("does not take the request").And.Not.Contain("it is not known"));
        }

        Assert.That(
            (EndpointOf(services).LastFailed, EndpointOf(services).Breaker.State), Is.EqualTo((false, CircuitState.Closed)));
    }

    private static Endpoint EndpointOf(ClientServices services) => services.Find(s_weather)!.Group.Endpoints.Single();

    private static ClientServices Services(WebApplication server) => ServiceMeshHandlerTests.Services([], o =>
    {
        (o.Services["weather"].Address, o.Services["weather"].Http2) = ($"static:{new Uri(server.Urls.Single()).Authority}", true);
        (o.Retry.Backoff, o.Retry.MaxBackoff) = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1));
        (o.CircuitBreaker.MinimumRequestThreshold, o.CircuitBreaker.FailureRateThreshold) = (1, 0); // any failure, at the next count
        (o.CircuitBreaker.CounterSlidingWindow, o.CircuitBreaker.CounterUpdateInterval) =
            (TimeSpan.FromMilliseconds(900), TimeSpan.FromMilliseconds(1));
    });

    // It reads the body before it refuses the stream.
    private static async Task<WebApplication> StartAsync(Func<HttpContext, bool> refuses)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            if (refuses(context))
            {
                context.Features.Get<IHttpResetFeature>()!.Reset(RefusedStream);
                return;
            }

            await context.Response.WriteAsync($"{body.Length} bytes");
        });
        await app.StartAsync();
        return app;
    }

    // A stream that cannot go back, as one from a network.
    private sealed class Once(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
