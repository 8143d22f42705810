using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Send middleware that throws or hangs: the caller still gets its reply within its deadline.</summary>
public class SendMiddlewareFailureTests
{
    private static readonly RequestTopic<string, string> s_ask = new("send.ask");
    private static readonly SignalTopic<string> s_tell = new("send.tell");

    [Test]
    public async Task Middleware_that_throws_is_a_failed_reply_with_its_exception_and_a_report()
    {
        await using var node = await StartAsync<Failing>();
        var reply = await node.Bus.TryRequestAsync(s_ask, "x");
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Failure!.Exception, Is.TypeOf<HttpRequestException>());
        Assert.That(async () => await node.Bus.SignalAsync(s_tell, "x"), Throws.TypeOf<RequestRejectedException>());
        await node.StopAsync();
        Assert.That(
            (await node.ErrorQueue.EmptyAsync(10)).Select(r => (r.Topic, r.Status)), Is.EqualTo([("send.ask", 500), ("send.tell", 500)]));
    }

    [Test]
    public async Task Middleware_that_hangs_does_not_keep_the_caller_beyond_its_deadline()
    {
        await using var node = await StartAsync<Hanging>();
        var reply = await node.Bus.TryRequestAsync(s_ask, "x", new() { Timeout = TimeSpan.FromMilliseconds(50) })
            .WaitAsync(TimeSpan.FromSeconds(20));
        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
    }

    [Test]
    public async Task A_refused_attempt_does_not_deny_that_one_before_it_was_processed()
    {
        await using var node = await StartAsync<RefusedTheSecondTime>();

        var reply = await node.Bus.TryRequestAsync(s_ask, "x");

        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Unavailable, (bool?)false)));
    }

    private static Task<TestNode> StartAsync<T>()
        where T : class, ISendMiddleware => TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandler(s_ask, (input, _) => input).AddSendMiddleware<T>(),
            [("ErrorPolicy", "Queue"), ("Errors:QueueFile", TempFile.Path())]);

    private sealed class Failing : ISendMiddleware
    {
        public ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken) =>
            throw new HttpRequestException("token service");

        public ValueTask<SignalResult> SignalAsync(
            Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, CancellationToken cancellationToken) =>
            throw new HttpRequestException("token service");
    }

    private sealed class RefusedTheSecondTime : ISendMiddleware
    {
        public async ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
        {
            await next(request, cancellationToken);
            return ReplyMessage.Failure(StatusCode.Unavailable, "refused", notProcessed: true);
        }
    }

    private sealed class Hanging : ISendMiddleware
    {
        public async ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
        {
            await new TaskCompletionSource().Task;
            return await next(request, cancellationToken);
        }
    }
}
