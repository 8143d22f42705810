using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class MeshFailuresTests
{
    private readonly FakeTimeProvider _clock = new();
    private int _handled;
    private MeshTestHost _mesh = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _handled = 0;
        _mesh = await MeshTestHost.StartAsync(
            bus => bus
                .AddHandler(Ask, (input, _) =>
                {
                    Interlocked.Increment(ref _handled);
                    return input;
                })
                .AddHandler(Other, (input, _) => input)
                .AddHandler(AllNews, (_, _) => { Interlocked.Increment(ref _handled); }),
            new() { Clock = _clock });
    }

    [TearDown]
    public async Task StopAsync() => await _mesh.DisposeAsync();

    [TestCase("NotFound", StatusCode.NotFound, FailureKind.NoHandler, true, 0)]
    [TestCase("TimesOut", StatusCode.DeadlinePassed, FailureKind.TimedOut, false, 0)]
    [TestCase("Breaks", StatusCode.Unavailable, FailureKind.Unavailable, false, 0)]
    [TestCase("LosesReplies", StatusCode.Unavailable, FailureKind.Unavailable, false, 1)]
    [TestCase("Refuses", StatusCode.Overloaded, FailureKind.Rejected, true, 0)]
    [TestCase("Fails", (StatusCode)409, FailureKind.HandlerFailed, false, 0)]
    public async Task A_request_fails_as_it_would_without_a_test(
        string failure, StatusCode status, FailureKind kind, bool notProcessed, int handled)
    {
        Set(failure, times: 1);

        var reply = await _mesh.Bus.TryRequestAsync(Ask, "a").InTime();

        Assert.That((reply.Status, reply.Failure!.Kind, reply.Failure.NotProcessed), Is.EqualTo((status, kind, notProcessed)));
        Assert.That(_handled, Is.EqualTo(handled));
        Assert.That(await _mesh.Bus.RequestAsync(Ask, "b"), Is.EqualTo("b"), "the failure was to happen once");
    }

    [TestCase("NotFound")]
    [TestCase("Refuses")]
    public async Task A_signal_has_no_receivers(string failure)
    {
        Set(failure, times: 1, News);

        var failed = await _mesh.Bus.SignalAsync(News, "a");
        var sent = await _mesh.Bus.SignalAsync(News, "b");

        Assert.That(failed.Receivers, Is.Zero);
        Assert.That(failed.Failures, failure == "Refuses" ? Has.One.Contains("testing.news") : Is.Empty);
        Assert.That(sent.Receivers, Is.EqualTo(1));
    }

    [TestCase("TimesOut", typeof(RequestTimedOutException))]
    [TestCase("Breaks", typeof(TransportUnavailableException))]
    public async Task A_signal_that_cannot_be_sent_throws(string failure, Type expected)
    {
        Set(failure, times: 1, News);

        Assert.That(
            () => _mesh.Bus.SignalAsync(News, "a"), Throws.TypeOf(expected).With.Message.Contains("The test lets 'testing.news' fail"));
        Assert.That((await _mesh.Bus.SignalAsync(News, "b")).Receivers, Is.EqualTo(1));
    }

    [Test]
    public async Task A_slow_request_arrives_when_the_clock_has_moved()
    {
        _mesh.Failures.Slow(Ask, TimeSpan.FromSeconds(5));
        var asking = _mesh.Bus.RequestAsync(Ask, "a");
        _clock.Advance(TimeSpan.FromSeconds(4));
        Assert.That((asking.IsCompleted, _handled), Is.EqualTo((false, 0)));

        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.That(await asking.InTime(), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_slow_request_is_given_up_at_its_deadline()
    {
        _mesh.Failures.Slow(Ask, TimeSpan.FromSeconds(50));
        var asking = _mesh.Bus.TryRequestAsync(Ask, "a", new() { Timeout = TimeSpan.FromSeconds(5) });

        _clock.Advance(TimeSpan.FromSeconds(6));

        Assert.That((await asking.InTime()).Status, Is.EqualTo(StatusCode.DeadlinePassed));
        _clock.Advance(TimeSpan.FromSeconds(60));
        Assert.That(_handled, Is.Zero);
    }

    [Test]
    public async Task A_slow_signal_arrives_when_the_clock_has_moved()
    {
        _mesh.Failures.Slow(News, TimeSpan.FromSeconds(5));
        var telling = _mesh.Bus.SignalAsync(News, "a");
        Assert.That(telling.IsCompleted, Is.False);

        _clock.Advance(TimeSpan.FromSeconds(6));

        Assert.That((await telling.InTime()).Receivers, Is.EqualTo(1));
    }

    [Test]
    public async Task A_failure_holds_until_it_is_cleared_and_concerns_its_topic_only()
    {
        _mesh.Failures.NotFound(Ask);
        for (var i = 0; i < 3; i++)
        {
            Assert.That((await _mesh.Bus.TryRequestAsync(Ask, "a")).Status, Is.EqualTo(StatusCode.NotFound));
        }

        Assert.That(await _mesh.Bus.RequestAsync(Other, "a"), Is.EqualTo("a"));
        _mesh.Failures.Clear(Ask);
        Assert.That(await _mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("a"));
    }

    [Test]
    public async Task All_failures_are_cleared()
    {
        _mesh.Failures.NotFound(Ask);
        _mesh.Failures.Breaks(News);
        _mesh.Failures.Clear();

        Assert.That(await _mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("a"));
        Assert.That((await _mesh.Bus.SignalAsync(News, "a")).Receivers, Is.EqualTo(1));
    }

    [Test]
    public async Task The_failure_that_was_set_last_happens()
    {
        _mesh.Failures.NotFound(AllNews);
        _mesh.Failures.Breaks(News, times: 1);

        Assert.That(() => _mesh.Bus.SignalAsync(News, "a"), Throws.TypeOf<TransportUnavailableException>());
        Assert.That((await _mesh.Bus.SignalAsync(News, "a")).Receivers, Is.Zero, "the pattern fails on");
        _mesh.Failures.Refuses(AllNews);
        Assert.That((await _mesh.Bus.SignalAsync(News, "a")).Failures, Is.Not.Empty, "one for the same pattern takes its place");
    }

    [Test]
    public void A_message_that_fails_was_sent_all_the_same()
    {
        _mesh.Failures.Breaks(Ask);

        Assert.That(() => _mesh.Bus.RequestAsync(Ask, "a"), Throws.TypeOf<TransportUnavailableException>());
        Assert.That(_mesh.Sent.AssertOne(Ask), Is.EqualTo("a"));
    }

    [Test]
    public void What_cannot_happen_is_refused()
    {
        Assert.That(() => _mesh.Failures.NotFound(Ask, times: 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => _mesh.Failures.Slow(Ask, TimeSpan.FromSeconds(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => _mesh.Failures.Fails(Ask, StatusCode.Ok, "fine"), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private void Set(string failure, int times, ITopicContract? topic = null)
    {
        var (failures, contract) = (_mesh.Failures, topic ?? Ask);
        switch (failure)
        {
            case "NotFound":
                failures.NotFound(contract, times);
                break;
            case "TimesOut":
                failures.TimesOut(contract, times);
                break;
            case "Breaks":
                failures.Breaks(contract, times);
                break;
            case "LosesReplies":
                failures.LosesReplies(Ask, times);
                break;
            case "Refuses":
                failures.Refuses(contract, times);
                break;
            default:
                failures.Fails(Ask, (StatusCode)409, "It is taken.", times);
                break;
        }
    }
}
