using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// Three servers, one of which is broken in each way, and 64 callers. All layers have their defaults, except for shorter timeouts
/// and a smaller budget.
/// </summary>
[CancelAfter(60_000)]
public sealed class ThreeServersTests
{
    private const int Callers = 64;

    // One retry for each caller, since each may meet the broken server at first, and a twentieth of the requests. A third of
    // the requests would meet the broken server if the layers did not avoid it.
    private const double Ratio = 0.05;
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(1);
    private static readonly double s_perSecond = Callers / s_window.TotalSeconds;

    private static readonly (string, string)[] s_settings =
    [
        ("Timeouts:Connect", "00:00:00.3"), ("Timeouts:Attempt", "00:00:00.5"), ("Timeouts:Idle", "00:00:00.5"),
        ("RetryBudget:Ratio", Ratio.ToString(CultureInfo.InvariantCulture)),
        ("RetryBudget:PerSecond", s_perSecond.ToString("R", CultureInfo.InvariantCulture)),
        (Caller.BudgetWindow, s_window.ToString("c", CultureInfo.InvariantCulture)),
    ];

    private static IEnumerable<Fault> All => Enum.GetValues<Fault>().Where(f => f != Fault.None);

    // For an HttpClient a page with 200 is a successful answer, and a body that has begun becomes a stream when its attempt is over.
    private static IEnumerable<object[]> Faults =>
        from kind in Enum.GetValues<CallerKind>()
        from fault in All
        where (kind, fault) is not (CallerKind.HttpClient, Fault.HtmlOk or Fault.SlowBody)
        select new object[] { kind, fault };

    [TestCaseSource(nameof(Faults))]
    public async Task Idempotent_requests_all_succeed_and_retries_stay_within_the_budget(
        CallerKind kind, Fault fault, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(fault);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_settings);
        using var metrics = new RecordedMetrics(caller.Services);

        var seen = await caller.AskFromManyAsync(Callers, TestLength.Of(20, 500), isIdempotent: true, cancellationToken);

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
        Assert.That(seen.Select(s => s.Server).Distinct(), Is.SupersetOf(servers.Healthy.Select(s => s.Address)));

        // Attempts are counted at the caller, because no server sees an attempt to a port that refuses it. No server declined a
        // request, so no attempt was free.
        var added = metrics.Sum("servicemesh.http.picks") - seen.Count;
        var refused = metrics.Sum("servicemesh.http.refused", "servicemesh.reason=circuit-open");
        Assert.That(added - refused, Is.LessThanOrEqualTo((Ratio * seen.Count) + (s_perSecond * s_window.TotalSeconds)));
        Assert.That(added - refused, Is.GreaterThan(0), "the broken server was met");

        // Servers saw only attempts that were counted, except those that the platform itself sends again (see OneServerTests).
        if ((kind, fault) != (CallerKind.HttpClient, Fault.CloseBeforeAnswer))
        {
            Assert.That(servers.Log.Attempts - seen.Count, Is.LessThanOrEqualTo(added - refused));
        }
    }

    [Test]
    public async Task A_plain_request_is_never_executed_twice(
        [Values] CallerKind kind, [ValueSource(nameof(All))] Fault fault, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(fault);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_settings);

        var seen = await caller.AskFromManyAsync(Callers, TestLength.Of(10, 200), isIdempotent: false, cancellationToken);

        // A request is executed when a server has read it to its end, whether or not it answers. What a black hole does with a request
        // is unknown, so such a request counts as executed once it has arrived.
        Assert.That(servers.Log.ExecutedTwice, Is.Empty);
        Assert.That(servers.Log.ArrivedTwice, Is.Empty);

        // Each success was executed once, by the server that answered.
        var successes = seen.Count(s => s.IsSuccess);
        Assert.That(servers.Healthy.Sum(s => s.Executions), Is.GreaterThanOrEqualTo(successes).And.LessThanOrEqualTo(seen.Count));
        if (fault is not (Fault.Refused or Fault.BlackHoleConnect))
        {
            Assert.That(servers.Broken.Attempts, Is.GreaterThan(0), "the broken server was met");
            Assert.That(servers.Broken.Executions, fault == Fault.BlackHole ? Is.Zero : Is.EqualTo(servers.Broken.Attempts));
        }

        // A request that cannot have been executed is sent to another server; only the others fail.
        Assert.That(seen.Count - successes, Is.LessThanOrEqualTo(servers.Broken.Attempts));
    }

    [Test]
    public async Task A_server_that_breaks_under_load_costs_no_request([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.None);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_settings);
        var asking = caller.AskFromManyAsync(Callers, TestLength.Of(60, 1000), isIdempotent: true, cancellationToken);

        while (servers.Log.Executions < Callers * 10)
        {
            await Task.Delay(1, cancellationToken);
        }

        servers.Broken.Fault = Fault.Refused; // resets its connections and the requests in flight on them
        var seen = await asking;

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
    }
}
