using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class RecordingBusTests
{
    [Test]
    public async Task A_request_is_answered_as_the_test_says()
    {
        await using var bus = new RecordingBus().Answer(Ask, input => $"got {input}").Answer(Other, "always this");

        Assert.That(await bus.RequestAsync(Ask, "a"), Is.EqualTo("got a"));
        Assert.That(await bus.RequestAsync(Other, "a"), Is.EqualTo("always this"));
        Assert.That(bus.Sent.AssertOne(Ask), Is.EqualTo("a"));
    }

    [Test]
    public async Task An_answer_may_be_changed_and_added_later()
    {
        await using var bus = new RecordingBus().Answer(Ask, "first");
        await bus.RequestAsync(Ask, "a");

        bus.Answer(Ask, "second").Answer(Other, "added");

        Assert.That(await bus.RequestAsync(Ask, "a"), Is.EqualTo("second"));
        Assert.That(await bus.RequestAsync(Other, "a"), Is.EqualTo("added"));
    }

    [Test]
    public async Task A_request_without_an_answer_fails_with_404()
    {
        await using var bus = new RecordingBus();

        Assert.That(() => bus.RequestAsync(Ask, "a"), Throws.TypeOf<NoHandlerException>());
        Assert.That(bus.Sent.To(Ask), Is.EqualTo(["a"]));
    }

    [Test]
    public async Task An_answer_that_throws_is_a_failure_as_a_handler_has_it()
    {
        await using var bus = new RecordingBus().Answer(Ask, _ => throw new ReplyException((StatusCode)409, "It is taken."));

        var reply = await bus.TryRequestAsync(Ask, "a");

        Assert.That((reply.Status, reply.Failure!.Message), Is.EqualTo(((StatusCode)409, "It is taken.")));
    }

    [Test]
    public async Task A_composition_runs_with_the_answers_and_goes_on_after_a_failure()
    {
        await using var bus = new RecordingBus().Answer(Ask, input => $"1 {input}").Answer(Other, input => $"2 {input}");
        bus.Failures.Refuses(Other, times: 1);

        var failed = await bus.TryExecuteAsync(Ask | Other, "a");
        var resumed = await bus.TryResumeAsync(failed.Resumption!);

        Assert.That(failed.Failure!.Step, Is.EqualTo("testing.other"));
        Assert.That(resumed.Value, Is.EqualTo("2 1 a"));
        Assert.That(await bus.ExecuteAsync(Ask | Other, "b"), Is.EqualTo("2 1 b"));
    }

    [Test]
    public async Task A_subscriber_receives_what_is_sent()
    {
        await using var bus = new RecordingBus();
        var received = new TaskCompletionSource<string>();
        await using var subscription = await bus.SubscribeAsync(AllNews, (text, _) =>
        {
            received.SetResult(text);
            return Task.CompletedTask;
        });
        await using var answering = await bus.SubscribeAsync(Ask, (input, _) => Task.FromResult(input));

        await bus.SignalAsync(News, "a");

        Assert.That(await received.Task.InTime(), Is.EqualTo("a"));
        Assert.That(await bus.RequestAsync(Ask, "b"), Is.EqualTo("b"));
        Assert.That(await bus.ListNodesAsync(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_deadline_passes_when_the_test_moves_the_clock()
    {
        var clock = new FakeTimeProvider();
        await using var bus = new RecordingBus(clock).Answer(Ask, "a");
        bus.Failures.Slow(Ask, TimeSpan.FromHours(1));
        var asking = bus.TryRequestAsync(Ask, "a", new() { Timeout = TimeSpan.FromMinutes(1) });
        await bus.Sent.WaitForAsync(Ask);

        clock.Advance(TimeSpan.FromMinutes(2));

        Assert.That((await asking.InTime()).Status, Is.EqualTo(StatusCode.DeadlinePassed));
    }

    [Test]
    public async Task Many_callers_at_once_start_it_once()
    {
        await using var bus = new RecordingBus().Answer(Ask, input => input);

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => Task.Run(() => bus.RequestAsync(Ask, $"{i}")))).InTime();

        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 50).Select(i => $"{i}")));
        Assert.That(bus.Sent.All, Has.Count.EqualTo(50));
    }

    [Test]
    public async Task Two_contracts_of_one_topic_with_other_types_are_refused()
    {
        await using var bus = new RecordingBus().Answer(Ask, "a");

        Assert.That(
            () => bus.Answer(new RequestTopic<int, string>("testing.ask"), "a"),
            Throws.InvalidOperationException.With.Message.Contains("testing.ask"));
    }

    [Test]
    public async Task A_bus_that_was_not_used_is_disposed_and_describes_its_node()
    {
        await using var bus = new RecordingBus();

        Assert.That(bus.DescribeNode().Subscriptions, Is.Not.Null);
    }
}
