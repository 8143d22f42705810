using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Uploads that fail because of the caller's own content, and because of the server.</summary>
[CancelAfter(20_000)]
public sealed class UploadTests
{
    private static readonly Uri s_weather = new("http://weather/");

    private static IEnumerable<TestCaseData> OwnFailures =>
    [
        new TestCaseData(new NotSupportedException("not today"), typeof(NotSupportedException)),
        new TestCaseData(new HttpRequestException("not today"), typeof(HttpRequestException)),
        new TestCaseData(new OperationCanceledException("not today"), typeof(OperationCanceledException)),
        new TestCaseData(new IOException("not today"), typeof(HttpRequestException)), // as HttpClient itself wraps it
    ];

    [TestCaseSource(nameof(OwnFailures))]
    public async Task The_caller_receives_the_exception_of_its_content(Exception thrown, Type seen)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = Services(server, failuresOpen: true);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        for (var i = 0; i < 4; i++)
        {
            var failure = await Assert.CatchAsync<Exception>(() => http.PutAsync(s_weather, new Failing(thrown)));
            Assert.That(failure, Is.InstanceOf(seen));
            Assert.That(failure!.GetBaseException(), Is.SameAs(thrown));
        }

        var endpoint = EndpointOf(services);
        Assert.That(
            (endpoint.InFlight, endpoint.LastFailed, endpoint.LastSuccess, endpoint.Breaker.State),
            Is.EqualTo((0, false, 0L, CircuitState.Closed)));
    }

    [TestCaseSource(nameof(OwnFailures))]
    public async Task A_failure_of_the_content_does_not_close_an_open_circuit(Exception thrown, Type seen)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = Services(server, failuresOpen: true);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        (await http.GetAsync(s_weather)).Dispose();
        EndpointOf(services).Breaker.Open(TimeSpan.FromMilliseconds(1));
        await ServiceMeshHandlerTests.UntilAsync(() => EndpointOf(services).Breaker.IsTrialDue, default);

        await Assert.CatchAsync<Exception>(() => http.PutAsync(s_weather, new Failing(thrown)));

        Assert.That(EndpointOf(services).Breaker.State, Is.EqualTo(CircuitState.HalfOpen), $"{seen.Name} decides nothing");
    }

    [Test]
    public async Task An_upload_that_the_server_breaks_off_counts_against_the_server(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.ResetBeforeAnswer);
        using var services = Services(server, failuresOpen: true);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));

        await Assert.CatchAsync<HttpRequestException>(
            () => http.PutAsync(s_weather, new StreamContent(new MemoryStream(new byte[1000])), cancellationToken));

        Assert.That(EndpointOf(services).LastFailed, Is.True);
    }

    [Test]
    public async Task A_connection_that_fails_during_an_upload_is_not_a_failure_of_the_content()
    {
        var body = new RequestBody(new StreamContent(new MemoryStream([1, 2, 3])), null);
        using var broken = body.ForAttempt()!;

        await Assert.CatchAsync<Exception>(() => broken.CopyToAsync(new Broken()));

        Assert.That(broken.OwnFailure, Is.Null);
    }

    [Test]
    public async Task Content_that_ends_with_its_attempt_has_not_failed()
    {
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        using var attempt = new RequestBody(new Failing(new OperationCanceledException(ended.Token)), null).ForAttempt()!;

        await Assert.CatchAsync<OperationCanceledException>(() => attempt.CopyToAsync(new MemoryStream(), ended.Token));

        Assert.That(attempt.OwnFailure, Is.Null);
    }

    private static ClientServices Services(FaultServer server, bool failuresOpen) => ServiceMeshHandlerTests.Services([server], o =>
    {
        o.Retry.Attempts = 1;
        if (failuresOpen)
        {
            // Any failure opens it at the next count.
            (o.CircuitBreaker.MinimumRequestThreshold, o.CircuitBreaker.FailureRateThreshold) = (1, 0);
            (
                o.CircuitBreaker.CounterSlidingWindow,
                o.CircuitBreaker.CounterUpdateInterval) = (TimeSpan.FromMilliseconds(900), TimeSpan.FromMilliseconds(1));
        }
    });

    private static Endpoint EndpointOf(ClientServices services) => services.Find(s_weather)!.Group.Endpoints.Single();

    private sealed class Failing(Exception failure) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            await stream.WriteAsync("a part"u8.ToArray());
            await stream.FlushAsync();
            throw failure;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private sealed class Broken : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("reset");
    }
}
