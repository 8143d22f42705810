using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Runs the code of all tests once, so that it is compiled before the first test measures a time.</summary>
[SetUpFixture]
public sealed class WarmUp
{
    private static readonly Fault[] s_faults =
    [
        Fault.None, Fault.Status500, Fault.HtmlErrorPage, Fault.Refused, Fault.ResetMidBody, Fault.SlowHeaders, Fault.SlowBody,
    ];

    [OneTimeSetUp]
    public async Task Send_one_request_in_each_way()
    {
        foreach (var kind in Enum.GetValues<CallerKind>())
        {
            foreach (var fault in s_faults)
            {
                await using var server = await FaultServer.StartAsync(fault);
                await using var caller = await Caller.StartAsync(kind, [server], ("Timeouts:Attempt", "00:00:00.05"));
                await caller.AskAsync(isIdempotent: true, CancellationToken.None);
            }
        }
    }
}
