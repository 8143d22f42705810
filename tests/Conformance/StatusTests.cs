using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>
/// The outcome of a request reaches the caller as a status, a message and a type of exception, and the node keeps serving.
/// </summary>
public abstract class StatusTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task A_body_that_does_not_decode_is_400_with_the_position()
    {
        var calls = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) =>
        {
            calls.Put(input);
            return input;
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(AskWrongly, [1, 2]);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.BadRequest));
            Assert.That(reply.Failure?.Message, Does.Match(@"byte \d+"), "the position is named");
            Assert.That(reply.Failure?.Kind, Is.EqualTo(FailureKind.Rejected));
            Assert.That(reply.Failure?.NotProcessed, Is.True);
            Assert.That(reply.Failure?.IsRetryable, Is.False, "the same body will fail again");
            Assert.That(calls.All, Is.Empty);
            Assert.That(await caller.Bus.RequestAsync(Ask, "well"), Is.EqualTo("well"), "the node keeps serving");
        }
    }

    [Test]
    public async Task A_reply_that_does_not_decode_is_500_at_the_caller()
    {
        var wrongAnswer = new RequestTopic<string, int>("conformance.ask");
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(wrongAnswer, "not a number");

        Assert.That((reply.Status, reply.Failure?.Kind), Is.EqualTo((StatusCode.HandlerFailed, FailureKind.HandlerFailed)));
    }

    [Test]
    public async Task A_reply_that_does_not_encode_is_500()
    {
        var unwritable = new RequestTopic<string, Unwritable>("conformance.unwritable");
        await StartAsync(mesh => mesh.AddHandler(unwritable, (_, _) => new Unwritable()));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(unwritable, "");

        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.HandlerFailed, (bool?)false)));
    }

    [TestCase(100)]
    [TestCase(199)]
    [TestCase(201)]
    [TestCase(202)]
    [TestCase(299)]
    public async Task A_handler_may_set_any_status_of_success(int status)
    {
        var caller = await StartServerAndCallerAsync((input, context) =>
        {
            context.Status = (StatusCode)status;
            return input;
        });

        var reply = await caller.Bus.TryRequestAsync(Ask, "done");

        Assert.That((reply.IsSuccess, reply.Status, reply.Value), Is.EqualTo((true, (StatusCode)status, "done")));
    }

    [TestCase(300)]
    [TestCase(404)]
    [TestCase(409)]
    [TestCase(429)]
    [TestCase(503)]
    [TestCase(599)]
    [TestCase(600)]
    [TestCase(999)]
    public async Task A_failing_status_that_a_handler_sets_is_a_failure_with_a_value(int status)
    {
        var caller = await StartServerAndCallerAsync((input, context) =>
        {
            context.Status = (StatusCode)status;
            return input;
        });

        var reply = await caller.Bus.TryRequestAsync(Ask, "what I have");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((reply.IsSuccess, reply.Status, reply.Value), Is.EqualTo((false, (StatusCode)status, "what I have")));
            Assert.That(reply.Failure?.NotProcessed, Is.False, "a handler ran");
            Assert.That(reply.Failure?.IsRetryable, Is.False, "so it must not be sent again");
        }
    }

    [TestCase(-5)]
    [TestCase(0)]
    [TestCase(99)]
    [TestCase(1000)]
    [TestCase(99_999)]
    public async Task A_status_outside_100_to_999_is_refused_where_it_is_set(int status)
    {
        Exception? refusal = null;
        var caller = await StartServerAndCallerAsync((input, context) =>
        {
            if (input != "good")
            {
                refusal = Assert.Catch(() => context.Status = (StatusCode)status);
                throw refusal!;
            }

            return input;
        });

        var reply = await caller.Bus.TryRequestAsync(Ask, "bad");

        Assert.That((reply.Status, refusal), Is.EqualTo((StatusCode.HandlerFailed, refusal)));
        Assert.That(refusal, Is.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("100 to 999"));
        Assert.That(await caller.Bus.RequestAsync(Ask, "good"), Is.EqualTo("good"), "the node keeps serving");
    }

    [TestCase(401)]
    [TestCase(403)]
    [TestCase(404)]
    [TestCase(409)]
    [TestCase(429)]
    [TestCase(777)]
    public async Task A_reply_exception_arrives_with_its_status_and_message(int status)
    {
        var caller = await StartServerAndCallerAsync((_, _) => throw new ReplyException((StatusCode)status, "Not today, “Bob”."));

        var thrown = await Assert.ThrowsAsync<HandlerFailedException>(() => caller.Bus.RequestAsync(Ask, ""));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(thrown?.Failure.Status, Is.EqualTo((StatusCode)status));
            Assert.That(thrown?.Failure.Message, Is.EqualTo("Not today, “Bob”."));
            Assert.That(thrown?.Failure.Step, Is.EqualTo("conformance.ask"));
            Assert.That(thrown?.Failure.NotProcessed, Is.False);
        }
    }

    [TestCase(408, false)]
    [TestCase(503, false)]
    [TestCase(408, true)]
    [TestCase(503, true)]
    public async Task A_handlers_own_408_or_503_is_a_failed_handler(int status, bool thrown)
    {
        var caller = await StartServerAndCallerAsync((input, context) =>
        {
            context.Status = (StatusCode)status;
            return thrown ? throw new ReplyException((StatusCode)status, "Not now.") : input;
        });

        var failed = await Assert.ThrowsAsync<HandlerFailedException>(() => caller.Bus.RequestAsync(Ask, ""));

        Assert.That(
            (failed?.Failure.Status, failed?.Failure.Kind), Is.EqualTo(((StatusCode?)status, (FailureKind?)FailureKind.HandlerFailed)));
    }

    [Test]
    public async Task A_handler_that_throws_is_500_and_the_node_keeps_serving()
    {
        var caller = await StartServerAndCallerAsync(
            (input, _) => input == "bad" ? throw new FormatException("line one\nline two") : input);

        var reply = await caller.Bus.TryRequestAsync(Ask, "bad");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
            Assert.That(reply.Failure?.NotProcessed, Is.False);
            Assert.That(await caller.Bus.RequestAsync(Ask, "good"), Is.EqualTo("good"));
        }
    }

    [TestCase(null)]
    [TestCase(ErrorDetails.None)]
    [TestCase(ErrorDetails.Message)]
    public async Task The_text_of_an_exception_reaches_the_caller_only_if_configured_or_in_memory(ErrorDetails? details)
    {
        await StartAsync(
            mesh => mesh.AddHandler(Ask, string (_, _) => throw new FormatException("line one\nline two")),
            details is null ? [] : [("Errors:Details", $"{details}")]);
        var caller = await StartAsync();

        var message = (await caller.Bus.TryRequestAsync(Ask, "bad")).Failure!.Message;

        var isTold = (details ?? (Capabilities.System == "inmemory" ? ErrorDetails.Message : ErrorDetails.None)) == ErrorDetails.Message;
        Assert.That(message, isTold
            ? Does.Contain("FormatException").And.Contain("line one\nline two")
            : Does.Contain($"message {caller.Id}.").And.Not.Contain("Format").And.Not.Contain("line one"));
        Assert.That(message, Does.Contain("The handler of 'conformance.ask'"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_handler_that_runs_longer_than_its_timeout_is_499(bool heedsToken)
    {
        var held = new Held(heedsToken);
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync, options => options.Timeout = TimeSpan.FromMilliseconds(100)));
        var caller = await StartAsync();

        var thrown = await Assert.ThrowsAsync<HandlerFailedException>(() => caller.Bus.RequestAsync(Ask, ""));

        held.Release();
        Assert.That((thrown?.Failure.Status, thrown?.Failure.NotProcessed), Is.EqualTo((StatusCode.HandlerTimeout, false)));
    }

    [Test]
    public async Task A_handler_whose_cancelled_work_throws_another_exception_is_499()
    {
        // Database drivers throw such exceptions. The status must not depend on whether they or the bus see the token first.
        await StartAsync(mesh => mesh.AddHandler(
            Ask,
            async (string _, HandlerContext context) =>
            {
                // Registers after the bus and so is called before it: a token calls its callbacks in reverse order.
                await Task.Delay(TimeSpan.FromMilliseconds(100));
                var work = new TaskCompletionSource<string>();
                using var cancelled = context.CancellationToken.Register(
                    () => work.SetException(new InvalidOperationException("The command was cancelled.")));
                return await work.Task;
            },
            options => options.Timeout = TimeSpan.FromMilliseconds(300)));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerTimeout), reply.Failure?.Message);
    }

    private async Task<MeshNode> StartServerAndCallerAsync(Func<string, HandlerContext, string> handler)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, handler));
        return await StartAsync();
    }

    /// <summary>A type that every serializer accepts, with a value that no serializer can write.</summary>
    public sealed class Unwritable
    {
        public string Text
        {
            get => throw new InvalidTimeZoneException("It cannot be read.");
            set => throw new InvalidTimeZoneException($"It cannot be set to '{value}'.");
        }
    }
}
