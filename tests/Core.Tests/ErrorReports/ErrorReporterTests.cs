using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class ErrorReporterTests
{
    [Test]
    public async Task A_report_carries_all_known_facts_and_data_up_to_the_limit()
    {
        await using var node = new BareNode(o => o.Errors.MaxDataBytes = 4);
        node.Clock.Advance(TimeSpan.FromHours(1));
        node.Errors.Report(node.Request("a.b", "abcdef"), StatusCode.HandlerFailed, "It threw.", "g", new InvalidTimeZoneException("why"));
        var report = (await node.ReportsAsync()).Single();
        Assert.That(
            (report.Topic, report.Kind, report.Status, report.Error, report.MessageId, report.Sender, report.Node, report.Group),
            Is.EqualTo(("a.b", (MessageKind?)MessageKind.Request, 500, "It threw.", "caller.1", "caller", node.Id, "g")));
        Assert.That(report.Time, Is.EqualTo(node.Clock.Start.AddHours(1)));
        Assert.That((report.Data, report.DataEncoding, report.DataBytes), Is.EqualTo(("\"abc", "utf-8", 8)));
        Assert.That(report.Exception, Does.Contain("InvalidTimeZoneException: why"));
    }

    [Test]
    public async Task The_Ignore_policy_files_no_report()
    {
        await using var node = new BareNode(o => o.ErrorPolicy = ErrorPolicy.Ignore);
        node.Errors.Report(node.Request("a.b"), StatusCode.HandlerFailed, "It threw.", null, null);
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "lambda", "It threw."));
        Assert.That(await node.ReportsAsync(), Is.Empty);
        Assert.That(node.Log.Lines, Is.Empty);
    }

    [Test]
    public async Task The_Publish_policy_logs_a_failure_on_its_own_topic_and_does_not_report_it()
    {
        await using var node = new BareNode(o => o.ErrorPolicy = ErrorPolicy.Publish);
        node.Errors.Report(node.Signal("mesh.errors"), StatusCode.HandlerFailed, "It threw.", null, null);
        Assert.That(await node.ReportsAsync(), Is.Empty);
        Assert.That(node.Log.Has(LogLevel.Warning, "An error report about mesh.errors from caller (status 500) is left out"), Is.True);
    }

    [Test]
    public async Task The_Queue_policy_reports_a_failure_on_the_error_topic_like_any_other()
    {
        await using var node = new BareNode(o => o.ErrorPolicy = ErrorPolicy.Queue);
        node.Errors.Report(node.Signal("mesh.errors"), StatusCode.HandlerFailed, "It threw.", null, null);
        Assert.That(await node.ReportsAsync(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_report_beyond_the_buffer_is_lost_with_a_log_line()
    {
        await using var node = new BareNode();
        for (var i = 0; i < 4096; i++)
        {
            node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "lambda", $"{i}"));
        }

        Assert.That(node.Log.Lines, Is.Empty);
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "one-too-many", ""));
        Assert.That(node.Log.Has(LogLevel.Error, "about one-too-many from " + node.Id), Is.True);
        Assert.That((await node.ReportsAsync()).Select(r => r.Error), Is.EqualTo(Enumerable.Range(0, 4096).Select(i => $"{i}")));
    }

    [Test]
    public async Task Reports_that_wait_keep_whole_bodies_up_to_a_bound()
    {
        await using var node = new BareNode(o => o.Errors.WholeBody = true);
        var request = node.Request("a.b", new string('x', 1 << 20));
        for (var i = 0; i < 100; i++)
        {
            node.Errors.Report(request, StatusCode.HandlerFailed, "It threw.", null, null);
        }

        var reports = await node.ReportsAsync();
        Assert.That(reports.Count(r => r.TryGetBody(out _)), Is.EqualTo(32));
        Assert.That(reports.Skip(32).Select(r => (r.Data.Length, r.DataBytes)), Is.All.EqualTo((4096, (1 << 20) + 2)));
        Assert.That(reports, Has.Count.EqualTo(100));
    }

    [Test]
    public async Task A_report_that_cannot_be_filed_does_not_stop_the_next()
    {
        await using var node = new BareNode();
        var filed = new List<string>();
        node.Errors.Start(report =>
        {
            filed.Add(report.Topic);
            return report.Topic == "bad" ? throw new IOException("disk full") : Task.FromResult("filed");
        });
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "bad", ""));
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "good", ""));
        await node.Errors.StopAsync(TimeSpan.FromMinutes(1)).Soon();
        Assert.That(node.Log.Lines.Count(l => l.Contains("about bad", StringComparison.Ordinal)), Is.EqualTo(1));
        Assert.That(node.Log.Lines, Has.None.Contains("about good"));
        Assert.That(filed, Is.EqualTo(new[] { "bad", "good" }));
    }

    [Test]
    public async Task Reports_that_cannot_be_filed_are_logged_once_a_minute_with_their_number()
    {
        await using var node = new BareNode();
        var (filed, isAway) = (0, true);
        node.Errors.Start(_ =>
        {
            filed++;
            return isAway ? throw new IOException("away") : Task.FromResult("filed");
        });

        await FileAsync(1000);
        node.Clock.Advance(TimeSpan.FromSeconds(59));
        await FileAsync(1);
        Assert.That(Lost(), Has.Count.EqualTo(1));

        node.Clock.Advance(TimeSpan.FromSeconds(1));
        await FileAsync(1);
        Assert.That(Lost(), Has.Count.EqualTo(2));
        Assert.That(Lost()[1], Does.Contain("so are 1000 more"));

        await FileAsync(10);
        isAway = false;
        await FileAsync(1);
        await node.Errors.StopAsync(TimeSpan.FromMinutes(1)).Soon();
        Assert.That(Lost(), Has.Count.EqualTo(3), "what was counted is told when filing works again");
        Assert.That(Lost()[2], Does.Contain("so are 9 more"));

        List<string> Lost() => [.. node.Log.Lines.Where(l => l.Contains("is lost", StringComparison.Ordinal))];

        async Task FileAsync(int reports)
        {
            var until = Volatile.Read(ref filed) + reports;
            for (var i = 0; i < reports; i++)
            {
                node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "bad", ""));
            }

            await Failsafe.Until(() => Volatile.Read(ref filed) >= until);
        }
    }

    [Test]
    public async Task A_stopping_node_waits_a_limited_time_for_its_reports_and_logs_lost_ones()
    {
        await using var node = new BareNode();
        var (hangs, entered) = (Failsafe.Signal<string>(), Failsafe.Signal());
        node.Errors.Start(_ =>
        {
            entered.TrySetResult();
            return hangs.Task.ContinueWith(_ => "filed", TaskScheduler.Default);
        });
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "first", ""));
        await entered.Task.Soon();
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "second", ""));
        var stopping = node.Errors.StopAsync(TimeSpan.FromSeconds(5));
        node.Clock.Advance(TimeSpan.FromSeconds(5));
        await stopping.Soon();
        Assert.That(node.Log.Has(LogLevel.Error, "about second"), Is.True);
        hangs.SetResult("filed");
    }

    [Test]
    public async Task After_the_node_has_stopped_a_report_is_lost_with_a_log_line()
    {
        await using var node = new BareNode();
        await node.ReportsAsync();
        node.Errors.Report(new ReplyFailure(StatusCode.HandlerFailed, "late", ""));
        Assert.That(node.Log.Has(LogLevel.Error, "about late"), Is.True);
    }
}
