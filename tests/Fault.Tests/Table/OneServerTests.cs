using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>One server, one attempt: what a caller sees of each fault, in which time, and what reached the server.</summary>
[CancelAfter(30_000)]
public sealed class OneServerTests
{
    private static readonly (string, string)[] s_oneAttempt =
    [
        ("Retry:Attempts", "1"), ("Timeouts:Connect", "00:00:00.2"), ("Timeouts:ResponseHeaders", "00:00:00.4"), ("Timeouts:Attempt", "00:00:00.8"),
    ];

    [TestCase(Fault.Refused, null, 0)]
    [TestCase(Fault.BlackHole, TimeoutPhase.ResponseHeaders, 1)]
    [TestCase(Fault.BlackHoleConnect, TimeoutPhase.Connect, 0)]
    [TestCase(Fault.ResetBeforeAnswer, null, 1)]
    [TestCase(Fault.ResetMidBody, null, 1)]
    [TestCase(Fault.SlowHeaders, TimeoutPhase.ResponseHeaders, 1)]
    [TestCase(Fault.SlowBody, TimeoutPhase.Attempt, 1)]
    public async Task An_HttpClient_gets_the_exceptions_that_it_knows(Fault fault, TimeoutPhase? phase, int attempts, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(fault);
        await using var caller = await Caller.StartAsync(CallerKind.HttpClient, [server], s_oneAttempt);

        var seen = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That(seen.Exception, Is.TypeOf(phase is null ? typeof(HttpRequestException) : typeof(TaskCanceledException)), seen.ToString());
        Assert.That((seen.Exception!.InnerException as PhaseTimeoutException)?.Phase, Is.EqualTo(phase));
        Assert.That(seen.Said, Does.Contain($"http://{server.Address}").Or.Contain(server.Address));
        Assert.That(server.Attempts, Is.EqualTo(attempts));
    }
}
