using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>A status that no wire carries is refused where it is set.</summary>
public sealed class StatusRangeTests
{
    private static readonly int[] s_outside = [int.MinValue, -5, 0, 99, 1000, 99_999, int.MaxValue];

    [TestCaseSource(nameof(s_outside))]
    public void A_reply_with_a_status_outside_100_to_999_is_refused(int status)
    {
        Assert.That(
            () => new ReplyMessage { Status = (StatusCode)status },
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains($"The status {status} is outside 100 to 999"));
        Assert.That(() => ReplyMessage.Failure((StatusCode)status, "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Reply.Failed<int>((StatusCode)status, "a", "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ReplyException((StatusCode)status, "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [TestCase(100)]
    [TestCase(200)]
    [TestCase(299)]
    public void A_failure_with_a_status_of_success_is_refused(int status)
    {
        Assert.That(() => ReplyMessage.Failure((StatusCode)status, "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Reply.Failed<int>((StatusCode)status, "a", "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ReplyException((StatusCode)status, "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [TestCase(300)]
    [TestCase(999)]
    public void The_ends_of_the_range_are_allowed(int status)
    {
        Assert.That((int)ReplyMessage.Failure((StatusCode)status, "x").Status, Is.EqualTo(status));
        Assert.That((int)Reply.Failed<int>((StatusCode)status, "a", "x").Status, Is.EqualTo(status));
        Assert.That((int)new ReplyException((StatusCode)status, "x").Status, Is.EqualTo(status));
        Assert.That((int)new ReplyMessage { Status = (StatusCode)100 }.Status, Is.EqualTo(100));
    }

    [TestCaseSource(nameof(s_outside))]
    public async Task A_handler_that_sets_a_status_outside_the_range_has_failed(int status)
    {
        await using var node = new BareNode();
        Exception? thrown = null;
        var subscription = node.OnRequest<string, string>("a.b", (input, context) =>
        {
            thrown = Assert.Catch(() => context.Status = (StatusCode)status);
            throw thrown!;
        });

        var reply = await subscription.Offer(node.Request("a.b")).RunAsync().Soon();

        Assert.That(thrown, Is.TypeOf<ArgumentOutOfRangeException>());
        Assert.That((reply.Status, reply.Error), Is.EqualTo((StatusCode.HandlerFailed, reply.Error)));
        Assert.That(reply.Error, Does.Contain($"The status {status} is outside 100 to 999"));
    }
}
