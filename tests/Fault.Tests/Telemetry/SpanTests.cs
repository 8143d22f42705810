using System.Collections.Concurrent;
using System.Diagnostics;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>The spans of attempts, as a collector receives them.</summary>
[CancelAfter(30_000)]
public sealed class SpanTests
{
    private static readonly string[] s_where = ["server.address", "url.full", "network.peer.address", "network.peer.port"];
    private static readonly (string, string)[] s_twice = [("Retry:Attempts", "2")];

    [Test]
    public async Task Each_attempt_has_a_span_and_the_second_has_a_resend_count(
        [Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(kind, [server], s_twice);
        using var spans = new Spans(server);

        await caller.AskAsync(isIdempotent: true, cancellationToken);

        var method = kind == CallerKind.Bus ? "POST" : "GET";
        Assert.That(
            spans.All.Select(s => (s.DisplayName, s.Kind, s.Status)),
            Is.EqualTo(Enumerable.Repeat((method, ActivityKind.Client, ActivityStatusCode.Error), 2)));
        Assert.That(spans.All.Select(s => s.GetTagItem("http.request.resend_count")), Is.EqualTo(new object?[] { null, 1 }));
        var expected = new Dictionary<string, object?>
        {
            ["http.request.method"] = method,
            ["http.response.status_code"] = 500,
            ["error.type"] = "500",
            ["servicemesh.service"] = "weather",
            ["url.scheme"] = "http",
            ["url.full"] = $"http://{server.Address}/ask",
            ["server.address"] = "127.0.0.1",
            ["server.port"] = server.Port,
            ["network.peer.address"] = "127.0.0.1",
            ["network.peer.port"] = server.Port,
        };
        Assert.That(spans.All[0].TagObjects, Is.EquivalentTo(expected));
        Assert.That(spans.All[1].TagObjects, Is.EquivalentTo(expected.Append(new("http.request.resend_count", 1))));
    }

    [TestCase("ask?secret=1&a=b", "ask?*")]
    [TestCase("ask?", "ask?")]
    [TestCase("a%20b/c#part", "a%20b/c")]
    public async Task The_url_of_a_span_has_no_user_and_no_query(string asked, string recorded, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var caller = await Caller.StartAsync(CallerKind.HttpClient, [server]);
        using var spans = new Spans(server);

        using var response = await ((HttpClientCaller)caller).Client
            .GetAsync(new Uri($"http://me:secret@weather/{asked}"), cancellationToken);

        Assert.That(spans.All.Single().GetTagItem("url.full"), Is.EqualTo($"http://{server.Address}/{recorded}"));
    }

    [TestCase(CallerKind.Bus)]
    [TestCase(CallerKind.HttpClient)]
    public async Task A_span_has_no_peer_address_when_the_server_is_called_by_name(CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var caller = await Caller.StartAsync(kind, [], ("Services:weather:Address", $"static:localhost:{server.Port}"));
        using var spans = new Spans(server);

        Assert.That((await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess, Is.True);

        var span = spans.All.Single();
        Assert.That(
            s_where.Select(span.GetTagItem),
            Is.EqualTo(new object?[] { "localhost", $"http://localhost:{server.Port}/ask", null, null }));
    }

    // The spans of one server: other tests in the process use other servers.
    private sealed class Spans : IDisposable
    {
        private readonly ConcurrentQueue<Activity> _all = new();
        private readonly ActivityListener _listener;

        public Spans(FaultServer server)
        {
            _listener = new()
            {
                ShouldListenTo = source => source.Name == "ServiceMesh.Http",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = span =>
                {
                    if (server.Port.Equals(span.GetTagItem("server.port")))
                    {
                        _all.Enqueue(span);
                    }
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public IReadOnlyList<Activity> All => [.. _all];

        public void Dispose() => _listener.Dispose();
    }
}
