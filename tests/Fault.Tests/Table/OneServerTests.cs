using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// One server that is broken in each way, and requests that may run twice: what the caller sees, in which time, and how many
/// attempts reached the server. With one attempt, which is the timeouts alone; and with three.
/// </summary>
[CancelAfter(60_000)]
[Parallelizable(ParallelScope.Children)]
public sealed class OneServerTests
{
    private static readonly TimeSpan s_connect = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_headers = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan s_attempt = TimeSpan.FromMilliseconds(1000);

    // What a busy machine may add.
    private static readonly TimeSpan s_slack = TimeSpan.FromSeconds(5);

    [TestCase(Fault.Refused, null, 0)]
    [TestCase(Fault.BlackHole, TimeoutPhase.ResponseHeaders, 1)]
    [TestCase(Fault.BlackHoleConnect, TimeoutPhase.Connect, 0)]
    [TestCase(Fault.ResetBeforeAnswer, null, 1)]
    [TestCase(Fault.ResetMidBody, null, 1)]
    [TestCase(Fault.SlowHeaders, TimeoutPhase.ResponseHeaders, 1)]
    [TestCase(Fault.SlowBody, TimeoutPhase.Attempt, 1)]
    public async Task Without_an_answer_an_HttpClient_throws_what_it_always_throws(Fault fault, TimeoutPhase? phase, int reached, CancellationToken cancellationToken) =>
        await Each(1, 3, async attempts =>
        {
            await using var server = await FaultServer.StartAsync(fault);
            await using var caller = await StartAsync(CallerKind.HttpClient, server, attempts);

            var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

            Assert.That(seen.Exception, Is.TypeOf(phase is null ? typeof(HttpRequestException) : typeof(TaskCanceledException)), seen.ToString());
            Assert.That((seen.Exception!.InnerException as PhaseTimeoutException)?.Phase, Is.EqualTo(phase), seen.Exception.ToString());
            Assert.That(seen.Said, Does.Contain(server.Address));
            AssertTime(seen, phase, attempts);
            Assert.That(() => server.Attempts, Is.EqualTo(reached * attempts).After(5000, 5)); // it may be slower than the caller's patience
        });

    [TestCase(Fault.Refused, null, 0, "refuses connections")]
    [TestCase(Fault.BlackHole, TimeoutPhase.ResponseHeaders, 1, "timeout: ResponseHeaders")]
    [TestCase(Fault.BlackHoleConnect, TimeoutPhase.Connect, 0, "timeout: Connect")]
    [TestCase(Fault.ResetBeforeAnswer, null, 1, "broke")]
    [TestCase(Fault.ResetMidBody, null, 1, "broke")]
    [TestCase(Fault.SlowHeaders, TimeoutPhase.ResponseHeaders, 1, "timeout: ResponseHeaders")]
    [TestCase(Fault.SlowBody, TimeoutPhase.Attempt, 1, "timeout: Attempt")]
    public async Task Without_an_answer_the_bus_answers_503_and_says_why(Fault fault, TimeoutPhase? phase, int reached, string why, CancellationToken cancellationToken) =>
        await Each(1, 3, async attempts =>
        {
            await using var server = await FaultServer.StartAsync(fault);
            await using var caller = await StartAsync(CallerKind.Bus, server, attempts);

            var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

            Assert.That((seen.Status, seen.IsNotProcessed), Is.EqualTo((503, reached == 0)), seen.Said);
            Assert.That(seen.Said, Does.Contain(server.Address).And.Contain(why));
            AssertTime(seen, phase, attempts);
            Assert.That(() => server.Attempts, Is.EqualTo(reached * attempts).After(5000, 5)); // it may be slower than the caller's patience
        });

    [TestCase(CallerKind.Bus, Fault.Status500, 500, "A fault of the test.")]
    [TestCase(CallerKind.HttpClient, Fault.Status500, 500, "A fault of the test.")]
    [TestCase(CallerKind.Bus, Fault.Status503, 503, "A fault of the test.")]
    [TestCase(CallerKind.HttpClient, Fault.Status503, 503, "A fault of the test.")]
    [TestCase(CallerKind.Bus, Fault.HtmlErrorPage, 502, "answered 502 with 'text/html'")]
    [TestCase(CallerKind.HttpClient, Fault.HtmlErrorPage, 502, "<h1>502 Bad Gateway</h1>")]
    [TestCase(CallerKind.Bus, Fault.HtmlOk, 502, "a page for people")]
    public async Task What_the_server_answered_last_is_the_answer(CallerKind kind, Fault fault, int status, string said, CancellationToken cancellationToken) =>
        await Each(1, 3, async attempts =>
        {
            await using var server = await FaultServer.StartAsync(fault);
            server.RetryAfter = null;
            await using var caller = await StartAsync(kind, server, attempts);

            var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

            Assert.That((seen.Status, server.Attempts), Is.EqualTo((status, attempts)), seen.Said);
            Assert.That(seen.Said, Does.Contain(said));
            AssertTime(seen, null, attempts);
        });

    // Only the caller of an HttpClient knows that it did not want a page.
    [Test]
    public async Task A_page_with_200_is_an_answer_for_an_HttpClient(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.HtmlOk);
        await using var caller = await StartAsync(CallerKind.HttpClient, server, attempts: 3);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That((seen.Status, server.Attempts), Is.EqualTo((200, 1)));
        Assert.That(seen.Said, Does.Contain("<h1>Welcome</h1>"));
    }

    [Test]
    public async Task A_server_that_asks_to_be_left_alone_is([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status503);
        server.RetryAfter = 1;
        await using var caller = await StartAsync(kind, server, attempts: 2);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That((seen.Status, server.Attempts), Is.EqualTo((503, 2)));
        Assert.That(seen.Took, Is.GreaterThan(TimeSpan.FromMilliseconds(990)));
    }

    [Test]
    public async Task A_pause_that_is_longer_than_what_is_left_is_not_waited_for([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status503);
        server.RetryAfter = 60;
        await using var caller = await StartAsync(kind, server, attempts: 3);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That((seen.Status, server.Attempts), Is.EqualTo((503, 1)));
        Assert.That(seen.Took, Is.LessThan(s_slack));
    }

    private static Task<Caller> StartAsync(CallerKind kind, FaultServer server, int attempts) => Caller.StartAsync(
        kind, [server],
        ("Retry:Attempts", attempts.ToString(CultureInfo.InvariantCulture)),
        ("Timeouts:Connect", s_connect.ToString("c", CultureInfo.InvariantCulture)),
        ("Timeouts:ResponseHeaders", s_headers.ToString("c", CultureInfo.InvariantCulture)),
        ("Timeouts:Attempt", s_attempt.ToString("c", CultureInfo.InvariantCulture)));

    private static async Task Each(int first, int second, Func<int, Task> test)
    {
        await test(first);
        await test(second);
    }

    // Timers may be a little early.
    private static void AssertTime(Seen seen, TimeoutPhase? phase, int attempts)
    {
        var limit = phase switch
        {
            TimeoutPhase.Connect => s_connect,
            TimeoutPhase.ResponseHeaders => s_headers,
            TimeoutPhase.Attempt => s_attempt,
            _ => TimeSpan.Zero,
        };
        Assert.That(seen.Took, Is.GreaterThan((limit * attempts) - TimeSpan.FromMilliseconds(20 * attempts)).And.LessThan((limit * attempts) + s_slack));
    }
}
