using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Handlers that block their thread and ignore their token: timeouts and deadlines still apply to them.</summary>
public class BlockingHandlerTests
{
    [Test]
    public async Task A_handler_that_returns_after_its_timeout_is_499_and_its_value_is_not_sent()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", (_, _) =>
        {
            node.Clock.Advance(TimeSpan.FromSeconds(2));
            return Task.FromResult("late");
        }, new() { Timeout = TimeSpan.FromSeconds(1) });

        var reply = await subscription.Offer(node.Request("a.b")).RunAsync().Soon();

        Assert.That((reply.Status, reply.Body.Length), Is.EqualTo((StatusCode.HandlerTimeout, 0)));
        Assert.That((await node.ReportsAsync()).Single().Status, Is.EqualTo(499));
    }

    [Test]
    public async Task A_handler_that_throws_after_the_callers_deadline_does_not_report()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", (_, _) =>
        {
            node.Clock.Advance(TimeSpan.FromSeconds(2));
            throw new InvalidOperationException("late");
        });
        var request = node.Request("a.b") with { Deadline = Deadline.After(TimeSpan.FromSeconds(1), node.Clock) };

        Assert.That((await subscription.Offer(request).RunAsync().Soon()).Status, Is.EqualTo(StatusCode.DeadlinePassed));
        Assert.That(await node.ReportsAsync(), Is.Empty);
    }
}
