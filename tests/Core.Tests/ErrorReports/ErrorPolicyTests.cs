using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class ErrorPolicyTests
{
    private static readonly RequestTopic<string, string> s_fails = new("policy.fails");

    [Test]
    public async Task Publish_sends_each_failure_once_as_a_signal()
    {
        var reports = new System.Collections.Concurrent.ConcurrentQueue<ErrorReport>();
        await using (var node = await TestNode.StartAsync(
            bus => AddFailing(bus).AddHandler(MeshTopics.Errors, (report, _) => reports.Enqueue(report))))
        {
            await node.Bus.TryRequestAsync(s_fails, "the data").Soon();
            await node.Bus.TryRequestAsync(new RequestTopic<string, string>("policy.unhandled"), "x").Soon();
            await Failsafe.Until(() => reports.Count >= 2);
        }

        Assert.That(reports.Select(r => (r.Topic, r.Status)), Is.EquivalentTo(new[] { ("policy.fails", 500), ("policy.unhandled", 404) }));
        Assert.That(reports.Single(r => r.Status == 500).Data, Is.EqualTo("\"the data\""));
    }

    [Test]
    public async Task Publish_does_not_report_the_failure_of_a_report_subscriber_again()
    {
        var heard = 0;
        await using var node = await TestNode.StartAsync(bus => AddFailing(bus).AddHandler(
            new SignalPattern<ErrorReport>("mesh.*"),
            (_, _) =>
            {
                Interlocked.Increment(ref heard);
                throw new InvalidOperationException("cannot even report");
            }));
        await node.Bus.TryRequestAsync(s_fails, "x").Soon();
        await Failsafe.Until(() => node.Log.Has(LogLevel.Warning, "An error report about mesh.errors"));
        await node.StopAsync().Soon();
        Assert.That(heard, Is.EqualTo(1));
    }

    [Test]
    public async Task Queue_keeps_each_failure_once_until_it_is_acknowledged()
    {
        await using var node = await TestNode.StartAsync(bus => AddFailing(bus), Queue(TempFile.Path()));
        await node.Bus.TryRequestAsync(s_fails, "the data").Soon();
        await Failsafe.Until(() => node.ErrorQueue.CountAsync().AsTask().Result > 0);
        var taken = (await node.ErrorQueue.TakeAsync(10)).Single();
        var report = taken.Report;
        Assert.That(await node.ErrorQueue.CountAsync(), Is.EqualTo(1));
        Assert.That(await node.ErrorQueue.AcknowledgeAsync(taken), Is.True);
        Assert.That(await node.ErrorQueue.CountAsync(), Is.Zero);
        Assert.That(
            (report.Topic, report.Status, report.Data, report.Sender),
            Is.EqualTo(("policy.fails", 500, "\"the data\"", node.Bus.DescribeNode().Id)));
    }

    [Test]
    public async Task A_full_queue_logs_how_many_reports_it_dropped()
    {
        await using var node = await TestNode.StartAsync(
            bus => AddFailing(bus), [.. Queue(TempFile.Path()), ("Errors:QueueCapacity", "2")]);
        for (var i = 0; i < 3; i++)
        {
            await node.Bus.TryRequestAsync(s_fails, $"{i}").Soon();
        }

        await Failsafe.Until(() => node.Log.Has(LogLevel.Warning, "The error queue is full at 2 reports: the oldest 1 are dropped"));
        Assert.That((await node.ErrorQueue.ReadAsync(9)).Select(r => r.Data), Is.EqualTo(new[] { "\"1\"", "\"2\"" }));
    }

    [Test]
    public async Task Ignore_keeps_the_log_line_and_nothing_else()
    {
        var heard = false;
        await using var node = await TestNode.StartAsync(
            bus => AddFailing(bus).AddHandler(MeshTopics.Errors, (_, _) => heard = true), [("ErrorPolicy", "Ignore")]);
        await node.Bus.TryRequestAsync(s_fails, "x").Soon();
        await node.StopAsync().Soon();
        Assert.That(heard, Is.False);
        Assert.That(node.Log.Has(LogLevel.Warning, "Handling policy.fails from"), Is.True);
    }

    [Test]
    public async Task Two_nodes_with_the_same_queue_file_start_and_have_one_each()
    {
        var file = TempFile.Path();
        await using var first = await TestNode.StartAsync(bus => AddFailing(bus), Queue(file));
        await using var second = await TestNode.StartAsync(bus => AddFailing(bus), Queue(file));
        await second.Bus.TryRequestAsync(s_fails, "x").Soon();
        await Failsafe.Until(() => second.ErrorQueue.CountAsync().AsTask().Result > 0);

        Assert.That(await first.ErrorQueue.CountAsync(), Is.Zero);
    }

    [Test]
    public void A_queue_that_cannot_be_written_fails_at_start_with_its_key()
    {
        var file = TempFile.Path();
        File.WriteAllText(file, "not a folder");

        Assert.That(
            async () => await TestNode.StartAsync(bus => AddFailing(bus), Queue(Path.Combine(file, "errors.jsonl"))).Soon(),
            Throws.TypeOf<IOException>().With.Message.Contains("ServiceMesh:Errors:QueueFile").And.Message.Contains(file));
    }

    private static IServiceMeshBuilder AddFailing(IServiceMeshBuilder bus) =>
        bus.AddInMemoryTransport().AddHandler(
            s_fails, (string input, HandlerContext _) => input.Length < 0 ? input : throw new InvalidOperationException("out of luck"));

    private static (string, string)[] Queue(string file) => [("ErrorPolicy", "Queue"), ("Errors:QueueFile", file)];
}
