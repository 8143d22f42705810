using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>The queue of reports, as operators read it, replay messages from it, and remove reports.</summary>
public abstract class ErrorQueueTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly RequestTopic<string, string> s_flaky = new("conformance.flaky");

    [Test]
    public async Task The_queue_is_read_and_emptied_oldest_first()
    {
        var node = await StartWithFailuresAsync(5, capacity: 100);

        var read = await node.ErrorQueue.ReadAsync(2);
        var first = await node.ErrorQueue.EmptyAsync(3);
        var rest = await node.ErrorQueue.EmptyAsync(100);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(Data(read), Is.EqualTo(["0", "1"]), "reading does not remove reports");
            Assert.That(Data(first), Is.EqualTo(["0", "1", "2"]));
            Assert.That(Data(rest), Is.EqualTo(["3", "4"]));
            Assert.That(await node.ErrorQueue.CountAsync(), Is.Zero);
            Assert.That(await node.ErrorQueue.TakeAsync(1), Is.Empty);
        }
    }

    [Test]
    public async Task A_full_queue_drops_the_oldest()
    {
        var node = await StartWithFailuresAsync(5, capacity: 3);

        Assert.That(node.ErrorQueue.Capacity, Is.EqualTo(3));
        Assert.That(Data(await node.ErrorQueue.EmptyAsync(100)), Is.EqualTo(["2", "3", "4"]));
    }

    [Test]
    public async Task A_report_is_removed_by_who_has_taken_it_and_not_before_it_is_acknowledged()
    {
        var queue = (await StartWithFailuresAsync(3, capacity: 100)).ErrorQueue;

        var taken = (await queue.TakeAsync(1)).Single();
        var second = await queue.TakeAsync((await queue.ReadAsync(2))[1].Id, TimeSpan.FromMinutes(5));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(TextOf(taken.Report), Is.EqualTo("0"));
            Assert.That(TextOf(second!.Report), Is.EqualTo("1"));
            Assert.That(await queue.CountAsync(), Is.EqualTo(3), "taken ones are still there");
            Assert.That(await queue.TakeAsync(taken.Report.Id, TimeSpan.FromMinutes(5)), Is.Null);
            Assert.That(await queue.RemoveAsync(taken.Report.Id), Is.False);
            Assert.That((await queue.ReplayAsync(taken.Report.Id)).Outcome, Is.EqualTo(ReplayOutcome.NotTaken));
            Assert.That(await queue.AcknowledgeAsync(taken), Is.True);
            Assert.That(await queue.AcknowledgeAsync(taken), Is.False, "it is gone");
            Assert.That(await queue.ReleaseAsync(second), Is.True);
            Assert.That(await queue.AcknowledgeAsync(second), Is.False, "it was given back");
            Assert.That(await queue.RemoveAsync(second.Report.Id), Is.True);
            Assert.That(Data(await queue.ReadAsync(100)), Is.EqualTo(["2"]));
        }
    }

    [Test]
    public async Task Concurrent_takers_never_get_the_same_report()
    {
        var node = await StartWithFailuresAsync(100, capacity: 1000);

        var taken = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(async () => await node.ErrorQueue.EmptyAsync(7))));

        Assert.That(Data(taken.SelectMany(d => d)), Is.EquivalentTo(Enumerable.Range(0, 100).Select(i => $"{i}")));
    }

    [Test]
    public async Task A_replay_sends_the_message_again_with_its_headers_and_the_id_of_the_first()
    {
        var (seen, isWell) = (new Inbox<(string Input, Headers Headers)>(), false);
        var server = await StartQueueAsync(mesh => mesh.AddHandler(s_flaky, (input, context) =>
        {
            seen.Put((input, context.Headers));
            return Volatile.Read(ref isWell) ? input : throw new InvalidOperationException("not yet");
        }));
        var caller = await StartQueueAsync();
        await caller.Bus.TryRequestAsync(s_flaky, "Grüße", new() { Headers = Headers.Of(("tenant", "blue")) });
        var report = await ReportAsync(server);

        Volatile.Write(ref isWell, true);
        var result = await server.ErrorQueue.ReplayAsync(report.Id);

        var again = (await seen.NextAsync(2))[1];
        using (Assert.EnterMultipleScope())
        {
            Assert.That((result.Outcome, result.Status), Is.EqualTo((ReplayOutcome.Replayed, StatusCode.Ok)), result.Detail);
            Assert.That((again.Input, again.Headers["tenant"]), Is.EqualTo(("Grüße", "blue")));
            Assert.That(again.Headers[Headers.ReplayOf], Is.EqualTo(report.MessageId).And.StartsWith(caller.Id));
            Assert.That(await server.ErrorQueue.CountAsync(), Is.Zero);
            Assert.That((await server.ErrorQueue.ReplayAsync(report.Id)).Outcome, Is.EqualTo(ReplayOutcome.NotTaken));
        }
    }

    [Test]
    public async Task A_report_is_replayed_once_however_many_ask_for_it()
    {
        var (calls, isWell) = (0, false);
        var server = await StartQueueAsync(mesh => mesh.AddHandler(s_flaky, async (input, _) =>
        {
            Interlocked.Increment(ref calls);
            await Task.Yield();
            return Volatile.Read(ref isWell) ? input : throw new InvalidOperationException("not yet");
        }));
        await server.Bus.TryRequestAsync(s_flaky, "x");
        var report = await ReportAsync(server);

        Volatile.Write(ref isWell, true);
        var results = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => server.ErrorQueue.ReplayAsync(report.Id))));

        Assert.That(results.Count(r => r.Outcome == ReplayOutcome.Replayed), Is.EqualTo(1));
        Assert.That(results.Count(r => r.Outcome == ReplayOutcome.NotTaken), Is.EqualTo(9));
        Assert.That(calls, Is.EqualTo(2), "the first time, and the replay");
    }

    [Test]
    public async Task A_replay_that_fails_again_makes_a_report_that_names_the_first_message()
    {
        var server = await StartQueueAsync(mesh => mesh.AddHandler(
            s_flaky, string (_, _) => throw new InvalidOperationException("never")));
        await server.Bus.TryRequestAsync(s_flaky, "x");
        var first = await ReportAsync(server);

        Assert.That((await server.ErrorQueue.ReplayAsync(first.Id)).Status, Is.EqualTo(StatusCode.HandlerFailed));
        var second = await ReportAsync(server, but: first.Id);
        await server.ErrorQueue.ReplayAsync(second.Id);
        var third = await ReportAsync(server, but: second.Id);

        Assert.That((await server.ErrorQueue.ReadAsync(9)).Select(r => r.Id), Is.EqualTo([third.Id]));
        Assert.That(second.Headers[Headers.ReplayOf], Is.EqualTo(first.MessageId));
        Assert.That(third.Headers[Headers.ReplayOf], Is.EqualTo(first.MessageId));
    }

    [Test]
    public async Task A_replay_that_no_node_handles_leaves_the_report_where_it_is()
    {
        var node = await StartQueueAsync();
        await node.Bus.TryRequestAsync(s_flaky, "x");
        var report = await ReportAsync(node);

        var result = await node.ErrorQueue.ReplayAsync(report.Id);
        Assert.That((result.Outcome, result.Status), Is.EqualTo((ReplayOutcome.NotProcessed, StatusCode.NotFound)));

        await StartQueueAsync(mesh => mesh.AddHandler(s_flaky, Echo));
        Assert.That((await node.ErrorQueue.ReplayAsync(report.Id)).Outcome, Is.EqualTo(ReplayOutcome.Replayed));
        Assert.That(await node.ErrorQueue.CountAsync(), Is.Zero, "the first replay made no report of its own");
    }

    [Test]
    public async Task A_signal_is_replayed_to_its_subscribers()
    {
        var (seen, isWell) = (new Inbox<(string News, string? First)>(), false);
        var server = await StartQueueAsync(mesh => mesh.AddHandler(News, (news, context) =>
        {
            if (!Volatile.Read(ref isWell))
            {
                throw new InvalidOperationException("not yet");
            }

            seen.Put((news, context.Headers[Headers.ReplayOf]));
        }));
        await server.Bus.SignalAsync(News, "extra");
        var report = await ReportAsync(server);

        Volatile.Write(ref isWell, true);
        var result = await server.ErrorQueue.ReplayAsync(report.Id);

        Assert.That(result.Outcome, Is.EqualTo(ReplayOutcome.Replayed), result.Detail);
        Assert.That(await seen.NextAsync(), Is.EqualTo(("extra", report.MessageId)));
        Assert.That(await server.ErrorQueue.CountAsync(), Is.Zero);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_message_is_replayed_only_if_its_report_has_the_whole_body(bool isWhole)
    {
        var (seen, isWell) = (new Inbox<string>(), false);
        var text = new string('ä', 5000) + "\"<>";
        var server = await StartAsync(
            mesh => mesh.AddHandler(s_flaky, (input, _) =>
            {
                if (!Volatile.Read(ref isWell))
                {
                    throw new InvalidOperationException("not yet");
                }

                seen.Put(input);
                return "";
            }),
            ("ErrorPolicy", "Queue"), ("Errors:WholeBody", $"{isWhole}"));
        await server.Bus.TryRequestAsync(s_flaky, text);
        var report = await ReportAsync(server);

        Volatile.Write(ref isWell, true);
        var result = await server.ErrorQueue.ReplayAsync(report.Id);

        Assert.That(result.Outcome, Is.EqualTo(isWhole ? ReplayOutcome.Replayed : ReplayOutcome.NotReplayable), result.Detail);
        Assert.That(seen.All, Is.EqualTo(isWhole ? [text] : Array.Empty<string>()));
        Assert.That(await server.ErrorQueue.CountAsync(), Is.EqualTo(isWhole ? 0 : 1));
    }

    private Task<MeshNode> StartQueueAsync(Action<IServiceMeshBuilder>? configure = null) =>
        StartAsync(configure, ("ErrorPolicy", "Queue"));

    private static async Task<ErrorReport> ReportAsync(MeshNode node, string but = "")
    {
        ErrorReport? report = null;
        await Failsafe.UntilAsync(async () =>
            (report = (await node.ErrorQueue.ReadAsync(9)).FirstOrDefault(r => r.Id != but)) is not null);
        return report!;
    }

    // The requests fail one after the other, so that the order of the reports is known.
    private async Task<MeshNode> StartWithFailuresAsync(int failures, int capacity)
    {
        var node = await StartAsync(null, ("ErrorPolicy", nameof(ErrorPolicy.Queue)), ("Errors:QueueCapacity", $"{capacity}"));
        for (var i = 0; i < failures; i++)
        {
            await node.Bus.TryRequestAsync(Ask, $"{i}");
        }

        await Failsafe.UntilAsync(async () => (await node.ErrorQueue.ReadAsync(1000)).Any(r => TextOf(r) == $"{failures - 1}"));
        return node;
    }

    private IEnumerable<string?> Data(IEnumerable<ErrorReport> reports) => reports.Select(TextOf);
}
