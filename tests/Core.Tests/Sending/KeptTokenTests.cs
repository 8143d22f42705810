using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>The token of a request is reused by the next one, unless code may still hold it.</summary>
public sealed class KeptTokenTests
{
    private static readonly RequestTopic<int, int> s_topic = new("a.b");

    [Test]
    public async Task A_token_that_send_middleware_keeps_belongs_to_its_request_only()
    {
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddSendMiddleware<Keeping>().AddHandler(s_topic, (input, _) => input));
        await AssertNextDoesNotFireAsync(node.Bus, () => Keeping.Kept);
    }

    [Test]
    public async Task A_token_that_a_transport_keeps_belongs_to_its_request_only()
    {
        CancellationToken kept = default;
        var isFirst = true;
        var transport = new ScriptedTransport
        {
            OnRequest = async (_, token) =>
            {
                if (isFirst)
                {
                    (kept, isFirst) = (token, false);
                    return ScriptedTransport.Answer("1");
                }

                await Task.Delay(Timeout.Infinite, token);
                return ScriptedTransport.Answer("2");
            },
        };
        await using var node = await TestNode.StartAsync(mesh => transport.AddTo(mesh));
        await AssertNextDoesNotFireAsync(node.Bus, () => kept);
    }

    [Test]
    public async Task A_late_handler_of_another_group_does_not_get_the_next_requests_token()
    {
        using var release = new ManualResetEventSlim();
        var late = new TaskCompletionSource<CancellationToken>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport()
            .AddHandler(s_topic, AnswerFirstOnlyAsync, options => options.Group = "fast")
            .AddHandler(
                s_topic,
                async (int input, HandlerContext context) =>
                {
                    if (input == 1)
                    {
                        release.Wait();
                        late.SetResult(context.CancellationToken); // read for the first time long after the request was answered
                    }

                    await Task.Delay(Timeout.Infinite, context.CancellationToken);
                    return input;
                },
                options => options.Group = "slow"));
        await AssertNextDoesNotFireAsync(node.Bus, () =>
        {
            release.Set();
            return late.Task.GetAwaiter().GetResult();
        });
    }

    // The second request is sent on the thread on which the first one ended, so it gets the scope that the first one left.
    private static async Task AssertNextDoesNotFireAsync(IServiceBus bus, Func<CancellationToken> kept)
    {
        using var caller = new CancellationTokenSource();
        await bus.RequestAsync(s_topic, 1);
        var second = bus.RequestAsync(s_topic, 2, cancellationToken: caller.Token);
        var token = kept();
        await caller.CancelAsync();
        Assert.That(async () => await second, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(token.IsCancellationRequested, Is.False);
    }

    private static async Task<int> AnswerFirstOnlyAsync(int input, HandlerContext context)
    {
        await Task.Delay(input == 1 ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, context.CancellationToken);
        return input;
    }

    private sealed class Keeping : ISendMiddleware
    {
        public static CancellationToken Kept { get; private set; }

        private static bool s_has;

        public async ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
        {
            if (!s_has)
            {
                (Kept, s_has) = (cancellationToken, true);
                return await next(request, cancellationToken);
            }

            await Task.Delay(Timeout.Infinite, cancellationToken);
            return await next(request, cancellationToken);
        }
    }
}
