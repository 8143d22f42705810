using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>The message if no endpoint can take a request, and each has a different reason.</summary>
[CancelAfter(30_000)]
public sealed class UnavailableReasonTests
{
    [Test]
    public async Task A_reply_of_the_bus_gives_the_reason_for_each_endpoint(CancellationToken cancellationToken)
    {
        await using var full = await FaultServer.StartAsync(Fault.BlackHole);
        await using var caller = await StartAsync(
            null,
            (
                "Http:Services:weather:Address",
                $"static:{full.Address},127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"), ("Http:Services:weather:Topics:test.ask", "/ask"),
            ("Http:Limits:ConcurrencyPerEndpoint", "1"));
        Obstruct(caller.Services.GetRequiredService<ServiceEndpoints>().Of("weather"));
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = caller.Bus.TryRequestAsync(Ask, "one", end.Token);
        await Failsafe.UntilAsync(() => full.Attempts == 1);

        var reply = await caller.Bus.TryRequestAsync(Ask, "two", cancellationToken).InTime();
        await end.CancelAsync();

        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Overloaded, true)));
        Assert.That(reply.Failure.Message, Does.StartWith("No node that handles 'test.ask' can take a request now: ")
            .And.Contain($"http://{full.Address} has 1 requests in flight from this node, the limit of Http:Limits:ConcurrencyPerEndpoint")
            .And.Contain("http://127.0.0.1:1 has an open circuit until it is closed by hand")
            .And.Contain("http://127.0.0.1:2 is shutting down")
            .And.Contain("http://127.0.0.1:3 does not answer"));
        await Assert.CatchAsync<OperationCanceledException>(() => waiting.InTime());
    }

    [Test]
    public async Task An_HttpClient_exception_gives_the_reason_for_each_endpoint(CancellationToken cancellationToken)
    {
        await using var full = await FaultServer.StartAsync(Fault.BlackHole);
        using var services = ServiceMeshHandlerTests.Services([], o =>
        {
            o.Services["weather"].Address = $"static:{full.Address},127.0.0.1:1,127.0.0.1:2,127.0.0.1:3";
            o.Limits.ConcurrencyPerEndpoint = 1;
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        var service = services.Find(new("http://weather/"))!;
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(
            () => http.GetAsync(new Uri("http://weather/"), gone.Token)); // begins to look for addresses
        await ServiceMeshHandlerTests.UntilAsync(() => service.Group?.Endpoints.Length == 4, cancellationToken);
        Obstruct(service.Group.Endpoints);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = http.GetAsync(new Uri("http://weather/"), end.Token);
        await ServiceMeshHandlerTests.UntilAsync(() => full.Attempts == 1, cancellationToken);

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("http://weather/"), cancellationToken));
        await end.CancelAsync();

        Assert.That(failure!.InnerException, Is.TypeOf<RequestNotSentException>());
        Assert.That(failure.Message, Does.Contain(
            $"http://{full.Address} has 1 requests in flight").And.Contain("127.0.0.1:1 has an open circuit")
            .And.Contain("127.0.0.1:2 is shutting down"));
        await Assert.CatchAsync<OperationCanceledException>(() => waiting);
    }

    private static void Obstruct(IReadOnlyList<Endpoint> endpoints)
    {
        endpoints[1].Breaker.Open();
        endpoints[2].State = EndpointState.Draining;
        endpoints[3].State = EndpointState.Unreachable;
    }
}
