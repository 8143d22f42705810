using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>One step for each item of a list.</summary>
public sealed class ListTests
{
    [Test]
    public async Task Values_have_the_order_of_the_items()
    {
        await using var node = await Steps.NodeAsync();
        var items = Enumerable.Range(0, 100).ToArray();
        Assert.That(await node.Bus.ExecuteAsync(Steps.Double.Each(7), items).Soon(), Is.EqualTo(items.Select(x => x * 2)));
        Assert.That(await node.Bus.ExecuteAsync(Steps.Double.Each(7), []).Soon(), Is.Empty);
    }

    [Test]
    public async Task A_bound_is_reached_and_never_exceeded()
    {
        await using var node = await Steps.NodeAsync();
        var (running, most) = (0, 0);
        var full = Failsafe.Signal();
        var step = Compose.Lambda(async (int x, CancellationToken _) =>
        {
            var now = Interlocked.Increment(ref running);
            lock (full)
            {
                most = Math.Max(most, now);
            }

            if (now == 4)
            {
                full.TrySetResult();
            }

            await full.Task;
            Interlocked.Decrement(ref running);
            return x;
        });
        await node.Bus.ExecuteAsync(step.Each(4), [.. Enumerable.Range(0, 20)]).Soon();
        Assert.That(most, Is.EqualTo(4));
    }

    [Test]
    public async Task The_highest_status_wins_and_every_reply_is_kept()
    {
        await using var node = await Steps.NodeAsync();
        var step = Compose.Choose((int x) => x == 2 ? Steps.Fail((StatusCode)418) : x == 3 ? Steps.Unhandled : Steps.Add1);
        var reply = await node.Bus.TryExecuteAsync(step.Each(2), [1, 2, 3, 4]).Soon();
        Assert.That(((int)reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((418, false)));
        Assert.That(reply.Failure.Parts.Select(part => (int)part.Status), Is.EqualTo(new[] { 200, 418, 404, 200 }));
        Assert.That(reply.Failure.Message, Does.Contain("2 of 4 item steps"));
    }

    [Test]
    public async Task EachSettled_succeeds_with_all_replies()
    {
        await using var node = await Steps.NodeAsync();
        var step = Compose.Choose((int x) => x == 2 ? Steps.Unhandled : Steps.Add1);
        var replies = await node.Bus.ExecuteAsync(step.EachSettled(2), [1, 2, 3]).Soon();
        Assert.That(replies.Select(r => (int)r.Status), Is.EqualTo(new[] { 200, 404, 200 }));
        Assert.That(replies[2].Value, Is.EqualTo(4));
    }

    [Test]
    public async Task Null_instead_of_a_list_is_a_failure()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Steps.Add1.Each(2), null!).Soon();
        Assert.That(reply.Failure!.Message, Does.Contain("null instead of a list"));
        Assert.That((await node.Bus.TryExecuteAsync(Steps.Add1.EachSettled(2), null!).Soon()).IsSuccess, Is.False);
        Assert.That(() => Steps.Add1.Each(0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
