using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>A node can wait until its watchers have confirmed a change, and does not wait for watchers that are gone.</summary>
public sealed class WatchersTests
{
    private static readonly TimeSpan s_wait = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task A_change_is_confirmed_when_each_watcher_polls_with_its_version()
    {
        var watchers = new Watchers(_clock);
        var (first, second) = (PollAsync(watchers, "a.1", 1), PollAsync(watchers, "b.1", 1));

        var told = watchers.NotifyAsync(CancellationToken.None);
        await first.InTime();
        await second.InTime();
        _ = PollAsync(watchers, "a.1", 2);
        Assert.That(told.IsCompleted, Is.False, "b has not heard");
        _ = PollAsync(watchers, "b.1", 2);

        Assert.That(await told.InTime(), Is.Empty);
        watchers.Close();
    }

    [Test]
    public async Task A_change_without_watchers_is_confirmed_at_once()
    {
        var watchers = new Watchers(_clock);
        await PollAsync(watchers, null, null).InTime();

        Assert.That(await watchers.NotifyAsync(CancellationToken.None).InTime(), Is.Empty);
        Assert.That(watchers.Version, Is.EqualTo(2));
    }

    [Test]
    public async Task The_node_does_not_wait_for_a_watcher_that_hung_up()
    {
        var watchers = new Watchers(_clock);
        using var gone = new CancellationTokenSource();
        var polling = watchers.PollAsync("a.1", 1, false, s_wait, gone.Token);
        await gone.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => polling);

        Assert.That(await watchers.NotifyAsync(CancellationToken.None).InTime(), Is.Empty);
    }

    [Test]
    public async Task The_node_does_not_wait_for_a_watcher_that_said_that_it_left()
    {
        var watchers = new Watchers(_clock);
        await PollAsync(watchers, "a.1", null).InTime();
        var told = watchers.NotifyAsync(CancellationToken.None);
        watchers.Remove("a.1");

        Assert.That(await told.InTime(), Is.Empty);
    }

    [Test]
    public async Task A_silent_watcher_is_named_after_two_seconds_and_then_forgotten()
    {
        var watchers = new Watchers(_clock);
        await PollAsync(watchers, "a.1", null).InTime();

        var told = watchers.NotifyAsync(CancellationToken.None);
        _clock.Advance(TimeSpan.FromSeconds(1.9));
        Assert.That(told.IsCompleted, Is.False);
        _clock.Advance(TimeSpan.FromSeconds(0.2));

        Assert.That(await told.InTime(), Is.EqualTo(["a.1"]));
        Assert.That(await watchers.NotifyAsync(CancellationToken.None).InTime(), Is.Empty);
    }

    [Test]
    public async Task The_node_remembers_a_bounded_number_of_watchers_and_drops_stale_ones()
    {
        var watchers = new Watchers(_clock);
        for (var i = 0; i < 5000; i++)
        {
            await PollAsync(watchers, $"a.{i}", null);
        }

        _clock.Advance(TimeSpan.FromMinutes(4));
        await PollAsync(watchers, "b.1", null);
        var told = watchers.NotifyAsync(CancellationToken.None);
        _clock.Advance(TimeSpan.FromSeconds(3));

        Assert.That(await told.InTime(), Is.EqualTo(["b.1"]));
    }

    [Test]
    public async Task A_poll_without_a_change_ends_after_its_wait()
    {
        var watchers = new Watchers(_clock);
        var polling = PollAsync(watchers, "a.1", 1);
        _clock.Advance(s_wait - TimeSpan.FromSeconds(1));
        Assert.That(polling.IsCompleted, Is.False);
        _clock.Advance(TimeSpan.FromSeconds(2));

        await polling.InTime();
        Assert.That(watchers.Version, Is.EqualTo(1));
    }

    [Test]
    public async Task The_shutdown_waits_until_no_request_is_in_flight()
    {
        var watchers = new Watchers(_clock);
        _ = PollAsync(watchers, "a.1", 1);
        var idle = watchers.UntilIdleAsync(CancellationToken.None);
        Assert.That(idle.IsCompleted, Is.False);
        var last = watchers.PollAsync("a.1", 1, isIdle: true, s_wait, CancellationToken.None);

        Assert.That(await idle.InTime(), Is.Empty);
        watchers.Close();
        await last.InTime();
    }

    private static Task PollAsync(Watchers watchers, string? name, long? known) =>
        watchers.PollAsync(name, known, false, s_wait, CancellationToken.None);
}
