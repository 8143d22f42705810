using System.Collections.Concurrent;
using System.Net;
using System.Text;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary><see cref="HttpClient.Send(HttpRequestMessage)"/> through the mesh: on the thread of its caller.</summary>
[CancelAfter(60_000)]
public sealed class SynchronousSendTests
{
    private static readonly Uri s_weather = new("http://weather/");

    [Test]
    public async Task A_synchronous_request_runs_on_the_thread_of_its_caller(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        var picks = new ConcurrentQueue<int>();
        using var services = ServiceMeshHandlerTests.Services([server], options =>
        {
            options.AddBalancer("Recording", context => new Recording(new RandomChoice(context), picks));
            options.Services["weather"].Balancer = "Recording";
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        await http.GetStringAsync(s_weather, cancellationToken); // the addresses are known
        picks.Clear();
        using var content = new ThreadContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, s_weather) { Content = content };

        using var response = http.Send(request, cancellationToken);

        var here = Environment.CurrentManagedThreadId;
        Assert.That(
            (response.StatusCode, content.WrittenOn, string.Join(',', picks)), Is.EqualTo((HttpStatusCode.OK, here, $"{here}")));
    }

    [TestCase(0, 1000)]
    [TestCase(0, 300_000)]
    [TestCase(65_536, 1000)]
    [TestCase(65_536, 300_000)]
    public async Task A_synchronous_caller_receives_the_whole_body(int readAhead, int length, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services([server], options => options.HttpClients.ReadAhead = readAhead);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(s_weather, $"bytes/{length}"));

        using var response = http.Send(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        using var body = new MemoryStream();
        using (var stream = response.Content.ReadAsStream(cancellationToken))
        {
            stream.CopyTo(body);
        }

        Assert.That((body.Length, BytePattern.Matches(body.ToArray(), 0)), Is.EqualTo((length, true)));
        Assert.That(services.Find(s_weather)!.Group.Endpoints.Single().InFlight, Is.Zero);
    }

    [TestCase(Fault.ResetMidBody)]
    [TestCase(Fault.Status503)]
    public async Task A_synchronous_request_is_sent_again_as_others_are(Fault fault, CancellationToken cancellationToken)
    {
        await using var broken = await FaultServer.StartAsync(fault);
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services(
            [broken, server], o => o.Services["weather"].Address = $"static:{broken.Address},{server.Address};priority=1");
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(s_weather, "bytes/50000"));

        using var response = http.Send(request, cancellationToken);

        Assert.That((response.StatusCode, broken.Attempts), Is.EqualTo((HttpStatusCode.OK, 1)));
        Assert.That((await response.Content.ReadAsByteArrayAsync(cancellationToken)).Length, Is.EqualTo(50_000));
    }

    [TestCase(TimeoutPhase.Total, 0)]
    [TestCase(TimeoutPhase.Attempt, 0)]
    [TestCase(TimeoutPhase.ResponseHeaders, 0)]
    [TestCase(TimeoutPhase.Idle, 0)]
    [TestCase(TimeoutPhase.Idle, 65_536)]
    public async Task A_synchronous_request_ends_with_its_timeouts(TimeoutPhase phase, int readAhead, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromMilliseconds(200);
        await using var server = await FaultServer.StartAsync(
            phase == TimeoutPhase.Idle || readAhead > 0 ? Fault.SlowBody : Fault.BlackHole);
        using var services = ServiceMeshHandlerTests.Services([server], options =>
        {
            options.HttpClients.ReadAhead = readAhead;
            options.Retry.Attempts = 1;
            options.Services["weather"].Timeouts = phase switch
            {
                TimeoutPhase.Total => new() { Total = limit },
                TimeoutPhase.Attempt => new() { Attempt = limit },
                TimeoutPhase.ResponseHeaders => new() { ResponseHeaders = limit },
                _ => new() { Idle = limit },
            };
        });
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(s_weather, "bytes/1000"));

        var failure = Assert.Catch<Exception>(() => http.Send(request, cancellationToken));

        var timeout = PhaseTimeoutException.In(failure);
        Assert.That((timeout?.Phase, timeout?.Limit), Is.EqualTo((phase, limit)));
    }

    [Test]
    public async Task A_synchronous_caller_may_cancel(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.BlackHole);
        using var services = ServiceMeshHandlerTests.Services([server]);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        caller.CancelAfter(100);

        var failure = Assert.Catch<Exception>(() => http.Send(new(HttpMethod.Get, s_weather), caller.Token));

        Assert.That(failure, Is.TypeOf<TaskCanceledException>());
        Assert.That(services.Find(s_weather)!.Group.Endpoints.Single().LastFailed, Is.False);
    }

    [Test]
    public async Task Content_that_can_only_be_written_asynchronously_is_sent_too(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        using var services = ServiceMeshHandlerTests.Services([server]);
        using var http = new HttpClient(new ServiceMeshHandler(services, isOwner: false));
        using var request = new HttpRequestMessage(HttpMethod.Post, s_weather) { Content = new AsyncContent() };

        using var response = http.Send(request, cancellationToken);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    private sealed class Recording(IBalancer balancer, ConcurrentQueue<int> picks) : IBalancer
    {
        public void Update(System.Collections.Immutable.ImmutableArray<Endpoint> endpoints) => balancer.Update(endpoints);

        public Endpoint? Pick(in PickContext context)
        {
            picks.Enqueue(Environment.CurrentManagedThreadId);
            return balancer.Pick(context);
        }
    }

    private sealed class ThreadContent : HttpContent
    {
        public int WrittenOn { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
            throw new InvalidOperationException("It is written asynchronously.");

        protected override void SerializeToStream(Stream stream, System.Net.TransportContext? context, CancellationToken cancellationToken)
        {
            WrittenOn = Environment.CurrentManagedThreadId;
            stream.Write("pune"u8);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 4;
            return true;
        }
    }

    private sealed class AsyncContent : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
            stream.WriteAsync(Encoding.ASCII.GetBytes("pune")).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
