using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Redis.Tests;

/// <summary>The claims of the Gilmour wire: how long they stay, and what a claim is worth that is won too late.</summary>
public sealed class ClaimTests : InteropFixture
{
    [Test]
    public async Task A_claim_stays_for_600_seconds_as_the_protocol_says()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (word, _) => word));
        var caller = await StartAsync();

        await caller.Bus.RequestAsync(Ask, "claimed");

        var claims = (object?[])(await Theirs.CommandAsync("KEYS", $"{caller.Bus.DescribeNode().Id}.*"))!;
        Assert.That(claims, Has.Length.EqualTo(1));
        Assert.That(await Theirs.CommandAsync("TTL", (string)claims[0]!), Is.InRange(540L, 600L));
    }

    [Test]
    public async Task A_claim_that_is_won_after_the_deadline_runs_nothing()
    {
        var handled = new ConcurrentQueue<string>();
        await using var held = new HeldConnection(Redis.Port);
        await StartAsync(
            mesh => mesh.AddHandler(Ask, (word, _) =>
            {
                handled.Enqueue(word);
                return word;
            }),
            ("Redis:Configuration", held.Address));
        var caller = await StartAsync(null, ("Request:Timeout", "00:00:01"));
        Assert.That(await caller.Bus.RequestAsync(Ask, "before"), Is.EqualTo("before"));

        // The claim is on its way to Redis until the caller has its failure.
        held.HoldNext("_default"u8.ToArray());
        var watch = Stopwatch.StartNew();
        var late = await caller.Bus.TryRequestAsync(Ask, "late").InTime();
        var took = watch.Elapsed;
        await held.Held.InTime();
        held.Release();
        var claim = $"{caller.Bus.DescribeNode().Id}.*";
        await Failsafe.UntilAsync(async () => ((object?[])(await Theirs.CommandAsync("KEYS", claim))!).Length == 2);

        // On the same connection, so that it is answered after the claim.
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(Ask, "after")).IsSuccess);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(late.Status, Is.EqualTo(StatusCode.DeadlinePassed), late.Failure?.Message);
            Assert.That(took, Is.InRange(TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(2)));
            Assert.That(handled, Does.Contain("after").And.Not.Contain("late"));
        }
    }
}
