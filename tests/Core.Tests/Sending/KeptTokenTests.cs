using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A request's token serves the next one, but never where somebody may still look at it.</summary>
public sealed class KeptTokenTests
{
    private static readonly RequestTopic<int, int> s_topic = new("a.b");

    [Test]
    public async Task A_token_that_a_step_around_sending_keeps_is_of_that_request_only()
    {
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport().AddSendMiddleware<Keeping>().AddHandler(s_topic, (input, _) => input));
        await AssertNextDoesNotFireAsync(node.Bus, () => Keeping.Kept);
    }

    [Test]
    public async Task A_token_that_a_transport_keeps_is_of_that_request_only()
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
    public async Task A_handler_that_is_late_in_another_group_does_not_get_the_token_of_the_next_request()
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
                        late.SetResult(context.CancellationToken); // read for the first time when the request is long answered
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

    // The second request goes out right where the first one came back, so it has whatever that left for it.
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
