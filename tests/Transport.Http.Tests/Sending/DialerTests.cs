using System.Net;
using System.Net.Sockets;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

public sealed class DialerTests
{
    [Test]
    public async Task An_unanswered_handshake_ends_with_the_TLS_timeout()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var port = ((IPEndPoint)silent.LocalEndpoint).Port;

        var failure = await FailureAsync(new Uri($"https://127.0.0.1:{port}"), new() { Tls = TimeSpan.FromMilliseconds(50) });

        Assert.That(
            (failure?.Phase, failure?.Limit, failure?.Endpoint),
            Is.EqualTo((TimeoutPhase.Tls, TimeSpan.FromMilliseconds(50), $"127.0.0.1:{port}")));
    }

    [Test]
    public async Task A_refused_connection_is_not_a_timeout()
    {
        using var http = new HttpMessageInvoker(new Dialer(new(), ClientTls.Usual, TimeProvider.System).MakeHandler(new Random(1)));

        var failure = await Assert.CatchAsync<HttpRequestException>(async () =>
            await http.SendAsync(new(HttpMethod.Get, $"http://127.0.0.1:{FreePort.Next()}"), default));

        Assert.That((failure!.HttpRequestError, SendFailure.WasNotSent(failure)), Is.EqualTo((HttpRequestError.ConnectionError, true)));
    }

    private static async Task<PhaseTimeoutException?> FailureAsync(Uri uri, HttpTimeoutOptions timeouts)
    {
        using var http = new HttpMessageInvoker(new Dialer(timeouts, ClientTls.Usual, TimeProvider.System).MakeHandler(new Random(1)));
        Exception? failure = await Assert.CatchAsync(async () => await http.SendAsync(new(HttpMethod.Get, uri), default).InTime());
        Assert.That(SendFailure.WasNotSent(failure!));
        while (failure is not (null or PhaseTimeoutException))
        {
            failure = failure.InnerException;
        }

        return failure as PhaseTimeoutException;
    }
}
