using System.Collections.Frozen;
using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// One server that is broken in each way, and requests that may run twice: what the caller sees, after which time, and how many
/// attempts reach the server. With one attempt, which tests the timeouts alone, and with three.
/// </summary>
[CancelAfter(60_000)]
[Parallelizable(ParallelScope.Children)]
public sealed class OneServerTests
{
    private static readonly TimeSpan s_connect = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_headers = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan s_attempt = TimeSpan.FromMilliseconds(1500);
    private static readonly TimeSpan s_idle = TimeSpan.FromMilliseconds(2500);
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromSeconds(1);

    // The time that a request may take beyond the expected timeouts. It is so short that no further timeout can have fired. It
    // includes all pauses between attempts, which are at most 75 ms.
    private static readonly TimeSpan s_beyond = s_connect;

    // SocketsHttpHandler itself resends a request without a body whose connection was closed properly, each time on a new connection;
    // it has no setting for this. Requests of the bus always have a body, and plain requests of HttpClients are given one.
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
    public async Task Each_fault_has_its_status_its_time_and_its_number_of_attempts(
        [ValueSource(nameof(All))] Fault fault, [Values] CallerKind kind, [Values(1, 3)] int attempts, CancellationToken cancellationToken)
    {
        // A body that has begun is handed to the caller of an HttpClient as a stream when its attempt is over: it may be long and good. One
        // that stands still then ends by its silence, and is not asked for again.
        var isStream = (kind, fault) == (CallerKind.HttpClient, Fault.SlowBody);
        var row = isStream ? Row.Late(TimeoutPhase.Idle) : s_table[fault];
        await using var server = await FaultServer.StartAsync(fault);
        server.RetryAfter = (int)s_retryAfter.TotalSeconds;
        await using var caller = await StartAsync(kind, server, attempts);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        // Only the application knows that it did not want a web page: for an HttpClient the page is a successful answer.
        attempts = isStream || (kind == CallerKind.HttpClient && row.HttpStatus == 200) ? 1 : attempts;
        if (kind == CallerKind.Bus)
        {
            Assert.That((seen.Status, seen.IsNotProcessed), Is.EqualTo(((int?)row.BusStatus, row.Reached == 0)), seen.Message);
            Assert.That(seen.Message, Does.Contain(row.BusMessage));
        }
        else if (row.HttpStatus is { } status)
        {
            Assert.That(seen.Status, Is.EqualTo(status), seen.ToString());
            Assert.That(seen.Message, Does.Contain(row.HttpMessage));
        }
        else
        {
            // The exceptions that an HttpClient throws without ServiceMesh too.
            Assert.That(
                seen.Exception,
                Is.TypeOf(row.Phase is null || isStream ? typeof(HttpRequestException) : typeof(TaskCanceledException)),
                seen.ToString());
            Assert.That(
                PhaseTimeoutException.In(seen.Exception!)?.Phase,
                Is.EqualTo(row.Phase),
                $"{seen.Took} {seen.Lost} {seen.Exception}");
            Assert.That(isStream ? $"{seen.Exception}" : seen.Message, Does.Contain(row.HttpMessage));
        }

        if (row.HttpStatus is null)
        {
            Assert.That(isStream ? $"{seen.Exception}" : seen.Message, Does.Contain(server.Address));
        }

        AssertTime(seen, (LimitOf(row.Phase) * attempts) + (row.Pause * (attempts - 1)));
        var times = (kind, fault) == (CallerKind.HttpClient, Fault.CloseBeforeAnswer) ? 1 + PlatformResends : 1;
        // The server may read a request after its caller has given up.
        Assert.That(() => server.Attempts, Is.EqualTo(row.Reached * times * attempts).After(5000, 5));
    }

    [Test]
    public async Task A_retry_whose_pause_exceeds_the_remaining_time_is_not_made(
        [Values] CallerKind kind, CancellationToken cancellationToken)
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
        ("Timeouts:Attempt", s_attempt.ToString("c", CultureInfo.InvariantCulture)),
        ("Timeouts:Idle", s_idle.ToString("c", CultureInfo.InvariantCulture)));

    private static TimeSpan LimitOf(TimeoutPhase? phase) => phase switch
    {
        TimeoutPhase.Connect => s_connect,
        TimeoutPhase.ResponseHeaders => s_headers,
        TimeoutPhase.Attempt => s_attempt,
        TimeoutPhase.Idle => s_idle,
        _ => TimeSpan.Zero,
    };

    // Timers may fire slightly early.
    private static void AssertTime(Seen seen, TimeSpan time)
    {
        Assert.That(seen.Took, Is.GreaterThanOrEqualTo(0.97 * time));
        Assert.That(seen.Took, Is.LessThan(LostTime.Widen(time + s_beyond, seen.Lost)), $"of which the loaded machine added {seen.Lost}");
    }

    /// <param name="BusStatus">The status of the bus.</param>
    /// <param name="BusMessage">Part of the message of the bus.</param>
    /// <param name="HttpStatus">The status that an HttpClient sees; null when it throws.</param>
    /// <param name="HttpMessage">Part of the body, or of the message of the exception.</param>
    private sealed record Row(int BusStatus, string BusMessage, int? HttpStatus, string HttpMessage)
    {
        /// <summary>The timeout that ends each attempt.</summary>
        public TimeoutPhase? Phase { get; private init; }

        /// <summary>How often an attempt reaches the server.</summary>
        public int Reached { get; init; } = 1;

        /// <summary>The pause between attempts, beyond their backoff.</summary>
        public TimeSpan Pause { get; init; }

        public static Row Silent(int status, string message) => new(status, message, null, message);

        public static Row Late(TimeoutPhase phase) => Silent(503, $"timeout: {phase}") with { Phase = phase };

        public static Row Answered(int status, string bus, string http) => new(status, bus, status, http);
    }
}
