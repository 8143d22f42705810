using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A failure that repeats does not fill the log.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RepeatedLinesTests : IDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly RecordedLog _log = new();

    public void Dispose() => _log.Dispose();

    [Test]
    public void Failures_of_one_kind_are_one_line_with_a_count_per_interval()
    {
        using var application = LoggerFactory.Create(logging => logging.AddProvider(_log));
        using var logs = new PrintableLogs(application, _clock);
        var logger = logs.CreateLogger("ServiceMesh");
        for (var i = 0; i < 73_610; i++)
        {
            Log.Dropped(logger, "a.b", $"node-{i}", "refused", $"Detail {i}.");
            if (i % 1000 == 0)
            {
                Log.Dropped(logger, "other", "node", "refused", "Another topic.");
            }
        }

        Assert.That(_log.Lines.Count(), Is.EqualTo(2));
        _clock.Advance(RepeatedLines.Interval);
        Assert.That(_log.Lines.Skip(2).Order(), Is.EqualTo(new[]
        {
            "73 more lines like this one within 10 s: Lost a message on other (refused) from node: Another topic.",
            "73609 more lines like this one within 10 s: Lost a message on a.b (refused) from node-0: Detail 0.",
        }));

        Log.Dropped(logger, "a.b", "node", "refused", "Still in the next interval.");
        _clock.Advance(RepeatedLines.Interval);
        Assert.That(_log.Lines.Last(), Does.StartWith("1 more lines"));

        _clock.Advance(RepeatedLines.Interval);
        Log.Dropped(logger, "a.b", "node", "refused", "After an interval without one.");
        Assert.That(_log.Lines.Last(), Does.EndWith("After an interval without one."));
    }

    [Test]
    public void Other_kinds_and_other_news_are_not_held_back()
    {
        using var application = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(_log));
        using var logs = new PrintableLogs(application, _clock);
        var logger = logs.CreateLogger("ServiceMesh");

        Log.Drained(logger, "one");
        Log.Drained(logger, "two");
        Log.RequestFailed(logger, "a", "b", 503, "Debug.");
        Log.RequestFailed(logger, "a", "b", 503, "Debug.");
        Log.TransportThrew(logger, "a", "b", new FormatException());
        Log.TransportThrew(logger, "a", "b", new InvalidOperationException());
        Log.Dropped(logger, "a", "b", "refused", "");
        Log.Dropped(logger, "a", "b", "malformed", "");

        Assert.That(_log.Lines.Count(), Is.EqualTo(8));
    }

    [Test]
    public async Task What_was_held_back_is_told_when_the_node_stops()
    {
        var ask = new RequestTopic<string, string>("log.ask");
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandler(ask, string (_, _) => throw new FormatException("no")));
        for (var i = 0; i < 50; i++)
        {
            await node.Bus.TryRequestAsync(ask, "x").Soon();
        }

        Assert.That(node.Log.Lines.Count(l => l.StartsWith("Handling log.ask", StringComparison.Ordinal)), Is.EqualTo(1));
        await node.StopAsync();
        Assert.That(node.Log.Lines, Has.Some.StartsWith("49 more lines like this one"));
    }
}
