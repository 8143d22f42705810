using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Steps around sending that send more than once: each call of the next step is an attempt of its own.</summary>
public abstract class AttemptTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private const int MaxConcurrency = 64;

    [Test]
    public async Task A_step_that_tries_again_gets_the_answer_of_the_second_attempt()
    {
        var calls = 0;
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            context.Status = Interlocked.Increment(ref calls) < 3 ? StatusCode.Unavailable : StatusCode.Ok;
            return input;
        }));
        var caller = await StartAsync(WithStep(async (request, next, token) =>
        {
            var reply = await next(request, token);
            for (var i = 0; i < 5 && reply.Status.IsFailure; i++)
            {
                reply = await next(request, token);
            }

            return reply;
        }));

        Assert.That(await caller.Bus.RequestAsync(Ask, "third"), Is.EqualTo("third"));
        Assert.That(calls, Is.EqualTo(3));
    }

    [Test]
    public async Task A_step_may_copy_the_message_for_each_attempt()
    {
        var seen = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
        {
            await seen.ReceiveAsync($"{context.Headers["attempt"]}", context);
            return context.Message.Id.ToString();
        }));
        var caller = await StartAsync(WithStep(async (request, next, token) =>
        {
            var replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(i =>
                next(request with { Headers = request.Headers.With("attempt", $"{i}") }, token).AsTask()));
            Assert.That(replies.Select(r => Factory.Bodies.Deserialize<string>(r.Body)), Is.Unique, "ids of messages");
            return replies[0];
        }));

        Assert.That((await caller.Bus.TryRequestAsync(Ask, "")).Status, Is.EqualTo(StatusCode.Ok));
        Assert.That(await seen.NextAsync(4), Is.EquivalentTo(["0", "1", "2", "3"]));
    }

    [Test]
    public async Task Hedged_requests_are_all_answered_and_leak_no_place_of_a_handler()
    {
        var (requests, callers) = (TestLength.Of(4_000, 140_000), 32);
        var held = new Held();
        var servers = await StartAsync(2, mesh => mesh.AddHandler(
            Ask,
            async (string input, HandlerContext context) =>
            {
                if (input.StartsWith("fill", StringComparison.Ordinal)) // an attempt that lost may still arrive
                {
                    return await held.HandleAsync(input, context);
                }

                // Both attempts are under way for a moment, in both orders.
                if (input[^1] % 2 == 0)
                {
                    await Task.Yield();
                }

                return input;
            },
            options => (options.MaxConcurrency, options.MaxQueued) = (MaxConcurrency, 10_000)));
        var caller = await StartAsync(WithStep(HedgeAsync));

        var failures = (await Task.WhenAll(Enumerable.Range(0, callers).Select(c => Task.Run(async () =>
        {
            var failed = new List<string>();
            for (var i = 0; i < requests / callers; i++)
            {
                var reply = await caller.Bus.TryRequestAsync(Ask, $"{c}.{i}");
                if (!reply.IsSuccess || reply.Value != $"{c}.{i}")
                {
                    failed.Add($"{c}.{i}: {reply.Failure?.Message ?? reply.Value}");
                }
            }

            return failed;
        })))).SelectMany(f => f).ToArray();
        Assert.That(failures, Is.Empty);

        // A place that leaked would keep one of these from its handler.
        await StopAsync(servers[1]);
        var plain = await StartAsync();
        var filling = Enumerable.Range(0, MaxConcurrency).Select(i => plain.Bus.TryRequestAsync(Ask, $"fill.{i}")).ToArray();
        await Failsafe.UntilAsync(() => held.Calls == MaxConcurrency);
        held.Release();
        Assert.That((await Task.WhenAll(filling)).Select(r => r.Status), Is.All.EqualTo(StatusCode.Ok));
    }

    [Test]
    public async Task A_step_that_throws_before_it_sends_ends_as_not_processed()
    {
        var calls = 0;
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) =>
        {
            calls++;
            return input;
        }));
        var before = await StartAsync(WithStep((_, _, _) => throw new InvalidTimeZoneException("before")));
        var after = await StartAsync(WithStep(async (request, next, token) =>
        {
            await next(request, token);
            throw new InvalidTimeZoneException("after");
        }));

        var notSent = await before.Bus.TryRequestAsync(Ask, "");
        var sent = await after.Bus.TryRequestAsync(Ask, "");

        Assert.That((notSent.Status, notSent.Failure!.NotProcessed), Is.EqualTo((StatusCode.HandlerFailed, true)));
        Assert.That((sent.Status, sent.Failure!.NotProcessed), Is.EqualTo((StatusCode.HandlerFailed, false)));
        Assert.That(calls, Is.EqualTo(1));
    }

    [Test]
    public async Task A_step_around_a_handler_that_throws_before_it_ends_as_not_processed()
    {
        var calls = 0;
        await StartAsync(mesh =>
        {
            mesh.Services.AddSingleton(new Action<HandlerContext>(_ => throw new InvalidTimeZoneException("before")));
            mesh.AddHandlerMiddleware<HandlerStep>().AddHandler(Ask, (input, _) =>
            {
                calls++;
                return input;
            });
        });
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.HandlerFailed, true)));
        Assert.That(calls, Is.Zero);
    }

    // The second attempt begins a moment after the first; the first good answer counts, and the other attempt is cancelled.
    private static async ValueTask<ReplyMessage> HedgeAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var attempts = new List<Task<ReplyMessage>> { next(request, over.Token).AsTask(), next(request, over.Token).AsTask() };
        try
        {
            while (true)
            {
                var ended = await Task.WhenAny(attempts);
                attempts.Remove(ended);
                if (attempts.Count == 0 || (ended.IsCompletedSuccessfully && !ended.Result.Status.IsFailure))
                {
                    return await ended;
                }
            }
        }
        finally
        {
            await over.CancelAsync();
            foreach (var other in attempts)
            {
                await ((Task)other).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static Action<IServiceMeshBuilder> WithStep(SendStep.Send send) => mesh =>
    {
        mesh.Services.AddSingleton(send);
        mesh.AddSendMiddleware<SendStep>();
    };

    internal sealed class SendStep(SendStep.Send send) : ISendMiddleware
    {
        public ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken) =>
            send(request, next, cancellationToken);

        internal delegate ValueTask<ReplyMessage> Send(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken);
    }

    internal sealed class HandlerStep(Action<HandlerContext> before) : IHandlerMiddleware
    {
        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            before(context);
            return next(context);
        }
    }
}
