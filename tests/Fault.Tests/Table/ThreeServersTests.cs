using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Three servers of which one is broken in each way, 64 callers, all layers with what they are set to by themselves but shorter timeouts.</summary>
[CancelAfter(60_000)]
public sealed class ThreeServersTests
{
    private const int Callers = 64;

    private static readonly (string, string)[] s_short = [("Timeouts:Connect", "00:00:00.3"), ("Timeouts:Attempt", "00:00:00.5"), ("Timeouts:Idle", "00:00:00.5")];

    private static IEnumerable<object[]> Faults =>
        from kind in Enum.GetValues<CallerKind>()
        from fault in Enum.GetValues<Fault>()
        where fault != Fault.None && (kind, fault) != (CallerKind.HttpClient, Fault.HtmlOk)
        select new object[] { kind, fault };

    [TestCaseSource(nameof(Faults))]
    public async Task Requests_that_may_be_repeated_all_succeed_and_the_added_load_is_within_the_budget(CallerKind kind, Fault fault, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(fault);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_short);

        var seen = await caller.AskFromManyAsync(Callers, TestLength.Of(20, 500), isIdempotent: true, cancellationToken);

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
        Assert.That(seen.Select(s => s.Server).Distinct(), Is.SupersetOf(servers.Well.Select(s => s.Address)));

        // A fifth of the requests, and a hundred that are there in any case.
        Assert.That(servers.Log.Attempts - seen.Count, Is.LessThanOrEqualTo((0.2 * seen.Count) + 100));
    }

    [TestCaseSource(nameof(Faults))]
    public async Task A_plain_request_is_never_executed_twice(CallerKind kind, Fault fault, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(fault);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_short);

        var seen = await caller.AskFromManyAsync(Callers, TestLength.Of(10, 200), isIdempotent: false, cancellationToken);

        Assert.That(servers.Log.ExecutedTwice, Is.Empty);
        Assert.That(servers.Log.Executions, Is.LessThanOrEqualTo(seen.Count));

        // What cannot have been executed is sent elsewhere; the rest fails, and only that.
        Assert.That(seen.Count(s => !s.IsSuccess), Is.LessThanOrEqualTo(fault is Fault.Refused or Fault.BlackHoleConnect ? 0 : servers.Broken.Attempts));
    }

    [Test]
    public async Task A_server_that_breaks_in_the_middle_of_the_load_costs_no_request([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.None);
        await using var caller = await Caller.StartAsync(kind, servers.All, s_short);
        var asking = caller.AskFromManyAsync(Callers, TestLength.Of(60, 1000), isIdempotent: true, cancellationToken);

        while (servers.Log.Executions < Callers * 10)
        {
            await Task.Delay(1, cancellationToken);
        }

        servers.Broken.Fault = Fault.Refused; // its connections are reset, with what was under way on them
        var seen = await asking;

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
    }
}
