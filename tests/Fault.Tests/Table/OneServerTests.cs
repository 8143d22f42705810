using System.Collections.Frozen;
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
    private static readonly TimeSpan s_attempt = TimeSpan.FromMilliseconds(1500);
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromSeconds(1);

    // What a request may take beyond the timeouts that are to fire: so little that none of them can have fired besides. All
    // pauses between attempts are in it, which are 75 ms at most.
    private static readonly TimeSpan s_beyond = s_connect;

    // The platform's own, on a new connection each time, of a request without a body whose connection was closed in good order:
    // SocketsHttpHandler has no setting for it. The bus's requests have a body always, and HttpClients' plain ones are given one.
    private const int PlatformResends = 3;

    private static readonly FrozenDictionary<Fault, Row> s_table = new Dictionary<Fault, Row>
    {
        [Fault.Refused] = Row.Silent(503, "refuses connections") with { Reached = 0 },
        [Fault.BlackHole] = Row.Late(TimeoutPhase.ResponseHeaders),
        [Fault.BlackHoleConnect] = Row.Late(TimeoutPhase.Connect) with { Reached = 0 },
        [Fault.ResetBeforeAnswer] = Row.Silent(503, "broke"),
        [Fault.CloseBeforeAnswer] = Row.Silent(503, "broke"),
        [Fault.ResetMidBody] = Row.Silent(503, "broke"),
        [Fault.SlowHeaders] = Row.Late(TimeoutPhase.ResponseHeaders),
        [Fault.SlowBody] = Row.Late(TimeoutPhase.Attempt),
        [Fault.Status500] = Row.Answered(500, "A fault of the test.", "A fault of the test."),
        [Fault.Status503] = Row.Answered(503, "A fault of the test.", "A fault of the test.") with { Pause = s_retryAfter },
        [Fault.HtmlErrorPage] = Row.Answered(502, "answered 502 with 'text/html'", "<h1>502 Bad Gateway</h1>"),
        [Fault.HtmlOk] = Row.Answered(502, "a page for a browser", "<h1>Welcome</h1>") with { HttpStatus = 200 },
    }.ToFrozenDictionary();

    private static IEnumerable<Fault> All => Enum.GetValues<Fault>().Where(f => f != Fault.None);

    [Test]
    public async Task What_the_caller_sees_and_when_and_what_reached_the_server(
        [ValueSource(nameof(All))] Fault fault, [Values] CallerKind kind, [Values(1, 3)] int attempts, CancellationToken cancellationToken)
    {
        var row = s_table[fault];
        await using var server = await FaultServer.StartAsync(fault);
        server.RetryAfter = (int)s_retryAfter.TotalSeconds;
        await using var caller = await StartAsync(kind, server, attempts);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        // Only the caller of an HttpClient knows that it did not want a page: for the client that is an answer.
        attempts = kind == CallerKind.HttpClient && row.HttpStatus == 200 ? 1 : attempts;
        if (kind == CallerKind.Bus)
        {
            Assert.That((seen.Status, seen.IsNotProcessed), Is.EqualTo(((int?)row.BusStatus, row.Reached == 0)), seen.Said);
            Assert.That(seen.Said, Does.Contain(row.BusSays));
        }
        else if (row.HttpStatus is { } status)
        {
            Assert.That(seen.Status, Is.EqualTo(status), seen.ToString());
            Assert.That(seen.Said, Does.Contain(row.HttpSays));
        }
        else
        {
            // What an HttpClient always throws.
            Assert.That(seen.Exception, Is.TypeOf(row.Phase is null ? typeof(HttpRequestException) : typeof(TaskCanceledException)), seen.ToString());
            Assert.That((seen.Exception!.InnerException as PhaseTimeoutException)?.Phase, Is.EqualTo(row.Phase), $"{seen.Took} {seen.Lost} {seen.Exception}");
            Assert.That(seen.Said, Does.Contain(row.HttpSays));
        }

        if (row.HttpStatus is null)
        {
            Assert.That(seen.Said, Does.Contain(server.Address));
        }

        AssertTime(seen, (LimitOf(row.Phase) * attempts) + (row.Pause * (attempts - 1)));
        var times = (kind, fault) == (CallerKind.HttpClient, Fault.CloseBeforeAnswer) ? 1 + PlatformResends : 1;
        Assert.That(() => server.Attempts, Is.EqualTo(row.Reached * times * attempts).After(5000, 5)); // it may be slower than the caller's patience
    }

    [Test]
    public async Task A_pause_that_is_longer_than_what_is_left_is_not_waited_for([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status503);
        server.RetryAfter = 60;
        await using var caller = await StartAsync(kind, server, attempts: 3);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That((seen.Status, server.Attempts), Is.EqualTo((503, 1)));
        AssertTime(seen, TimeSpan.Zero);
    }

    private static Task<Caller> StartAsync(CallerKind kind, FaultServer server, int attempts) => Caller.StartAsync(
        kind, [server],
        ("Retry:Attempts", attempts.ToString(CultureInfo.InvariantCulture)),
        ("Timeouts:Connect", s_connect.ToString("c", CultureInfo.InvariantCulture)),
        ("Timeouts:ResponseHeaders", s_headers.ToString("c", CultureInfo.InvariantCulture)),
        ("Timeouts:Attempt", s_attempt.ToString("c", CultureInfo.InvariantCulture)));

    private static TimeSpan LimitOf(TimeoutPhase? phase) => phase switch
    {
        TimeoutPhase.Connect => s_connect,
        TimeoutPhase.ResponseHeaders => s_headers,
        TimeoutPhase.Attempt => s_attempt,
        _ => TimeSpan.Zero,
    };

    // Timers may be a little early.
    private static void AssertTime(Seen seen, TimeSpan time)
    {
        Assert.That(seen.Took, Is.GreaterThanOrEqualTo(0.97 * time));
        Assert.That(seen.Took, Is.LessThan(LostTime.Widen(time + s_beyond, seen.Lost)), $"of which the machine took {seen.Lost}");
    }

    /// <param name="BusStatus">What the bus answers.</param>
    /// <param name="BusSays">And why.</param>
    /// <param name="HttpStatus">What an HttpClient sees; null when it throws.</param>
    /// <param name="HttpSays">The body, or the exception's message.</param>
    private sealed record Row(int BusStatus, string BusSays, int? HttpStatus, string HttpSays)
    {
        /// <summary>The timeout of each attempt.</summary>
        public TimeoutPhase? Phase { get; private init; }

        /// <summary>How often an attempt reaches the server.</summary>
        public int Reached { get; init; } = 1;

        /// <summary>Between attempts, beyond their backoff.</summary>
        public TimeSpan Pause { get; init; }

        public static Row Silent(int status, string says) => new(status, says, null, says);

        public static Row Late(TimeoutPhase phase) => Silent(503, $"timeout: {phase}") with { Phase = phase };

        public static Row Answered(int status, string bus, string http) => new(status, bus, status, http);
    }
}
