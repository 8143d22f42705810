using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class HandlerContextTests
{
    [Test]
    public async Task A_handler_knows_topic_group_sender_headers_and_node()
    {
        await using var node = new BareNode();
        HandlerContext? seen = null;
        var subscription = node.OnSignalWith("a.*", new() { Group = "g" }, (_, context) =>
        {
            seen = context;
            return Task.CompletedTask;
        });
        await subscription.Offer(node.Signal("a.b", "x") with { Headers = Headers.Of(("tenant", "t")) }).RunAsync().Soon();
        Assert.That(seen!.Topic.ToString(), Is.EqualTo("a.b"));
        Assert.That(seen.Group, Is.EqualTo("g"));
        Assert.That(seen.Sender, Is.EqualTo("caller"));
        Assert.That(seen.Headers["tenant"], Is.EqualTo("t"));
        Assert.That(seen.NodeId, Is.EqualTo(node.Id));
        Assert.That(seen.Message.Kind, Is.EqualTo(MessageKind.Signal));
    }

    [Test]
    public async Task Remaining_is_the_lesser_of_the_deadline_and_the_handlers_timeout()
    {
        await using var node = new BareNode();
        var left = new List<TimeSpan>();
        Task<string> Handle(string input, HandlerContext context)
        {
            node.Clock.Advance(TimeSpan.FromSeconds(1));
            left.Add(context.Remaining);
            node.Clock.Advance(TimeSpan.FromSeconds(100));
            left.Add(context.Remaining);
            return Task.FromResult("");
        }

        await node.OnRequest<string, string>("a", Handle, new() { Timeout = TimeSpan.FromSeconds(10) })
            .Offer(node.Request("a", deadline: TimeSpan.FromSeconds(5))).RunAsync().Soon();
        await node.OnRequest<string, string>("a", Handle, new() { Timeout = TimeSpan.FromSeconds(3) })
            .Offer(node.Request("a", deadline: TimeSpan.FromSeconds(5))).RunAsync().Soon();
        await node.OnRequest<string, string>("a", Handle, new() { Timeout = TimeSpan.FromSeconds(3) })
            .Offer(node.Request("a")).RunAsync().Soon();
        Assert.That(left.Select(l => l.TotalSeconds), Is.EqualTo(new[] { 4d, 0, 2, 0, 2, 0 }));
    }

    [Test]
    public async Task Within_gives_a_request_the_remaining_time_and_at_least_a_millisecond()
    {
        await using var node = new BareNode();
        var timeouts = new List<TimeSpan?>();
        var subscription = node.OnRequest<string, string>("a", (_, context) =>
        {
            timeouts.Add(RequestOptions.Within(context).Timeout);
            node.Clock.Advance(TimeSpan.FromSeconds(9));
            timeouts.Add(RequestOptions.Within(context).Timeout);
            return Task.FromResult("");
        }, new() { Timeout = TimeSpan.FromSeconds(2) });
        await subscription.Offer(node.Request("a")).RunAsync().Soon();
        Assert.That(timeouts, Is.EqualTo(new TimeSpan?[] { TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(1) }));
        Assert.That(() => RequestOptions.Within(null!), Throws.ArgumentNullException);
    }

    [Test]
    public async Task A_status_and_headers_set_by_the_handler_travel_with_the_value()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a", (_, context) =>
        {
            context.Status = (StatusCode)422;
            context.ReplyHeaders = Headers.Of(("why", "because"));
            return Task.FromResult("details");
        });
        var reply = await subscription.Offer(node.Request("a")).RunAsync().Soon();
        Assert.That(reply.Status, Is.EqualTo((StatusCode)422));
        Assert.That(reply.Headers["why"], Is.EqualTo("because"));
        Assert.That(reply.Body.Length, Is.GreaterThan(0));
        Assert.That(reply.Error, Does.Contain("422"));
        Assert.That((await node.ReportsAsync()).Single().Status, Is.EqualTo(422));
    }

    [Test]
    public async Task The_token_of_a_handler_that_has_ended_has_fired()
    {
        await using var node = new BareNode();
        HandlerContext? kept = null;
        var subscription = node.OnRequest<string, string>("a", (_, context) =>
        {
            kept = context;
            return Task.FromResult("");
        });
        await subscription.Offer(node.Request("a")).RunAsync().Soon();
        Assert.That(kept!.CancellationToken.IsCancellationRequested, Is.True, "the request has ended");
    }

    [Test]
    public async Task Threads_that_read_the_token_at_once_get_the_same_token()
    {
        await using var node = new BareNode();
        for (var round = 0; round < 100; round++)
        {
            var subscription = node.OnRequest<string, bool>("a", async (_, context) =>
            {
                using var together = new Barrier(2);
                var tokens = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
                {
                    together.SignalAndWait();
                    return context.CancellationToken;
                })));
                return tokens[0] == tokens[1];
            });
            var reply = await subscription.Offer(node.Request("a")).RunAsync().Soon();
            Assert.That(System.Text.Encoding.UTF8.GetString(reply.Body.Span), Is.EqualTo("true"));
        }
    }
}
