using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Compiles what all tests run, before the first of them measures a time.</summary>
[SetUpFixture]
public sealed class WarmUp
{
    [OneTimeSetUp]
    public async Task Ask_once_in_each_way()
    {
        foreach (var kind in Enum.GetValues<CallerKind>())
        {
            foreach (var fault in new[] { Fault.None, Fault.Status500, Fault.HtmlErrorPage, Fault.Refused, Fault.ResetMidBody, Fault.SlowHeaders, Fault.SlowBody })
            {
                await using var server = await FaultServer.StartAsync(fault);
                await using var caller = await Caller.StartAsync(kind, [server], ("Timeouts:Attempt", "00:00:00.05"));
                await caller.AskAsync(isIdempotent: true, CancellationToken.None);
            }
        }
    }
}
