using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>How the messages of the bus itself and those of the application affect each other.</summary>
public class OwnTopicsTests
{
    private static readonly RequestTopic<string, string> s_ask = new("own.ask");

    [Test]
    public async Task A_star_matches_topics_of_the_application_and_not_error_reports()
    {
        var heard = new List<Topic>();
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport()
            .AddHandler(new SignalPattern<System.Text.Json.JsonElement>("*"), (_, context) => heard.Add(context.Topic)));

        await node.Bus.TryRequestAsync(s_ask, "no handler");
        await node.Bus.SignalAsync(new SignalTopic<string>("own.news"), "x");
        await node.StopAsync();

        Assert.That(heard.Select(t => t.ToString()), Is.EqualTo(["own.news"]));
        Assert.That(TopicPattern.Parse("*").Matches(MeshTopics.Errors.Topic), Is.False);
        Assert.That(TopicPattern.Parse("mesh.*").Matches(MeshTopics.Errors.Topic), Is.True);
    }

    [Test]
    public async Task A_draining_node_still_answers_who_it_is()
    {
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        var network = new InMemoryNetwork();
        await using var draining = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network).AddHandler(
            s_ask,
            async (input, _) =>
            {
                entered.SetResult();
                await release.Task;
                return input;
            }));
        await using var other = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network));
        var asked = other.Bus.RequestAsync(s_ask, "x");
        await entered.Task.Soon();
        var stopping = draining.StopAsync();
        await Failsafe.Until(() => draining.Bus.DescribeNode().IsDraining);

        var info = await other.Bus.RequestAsync(MeshTopics.Node(draining.Bus.DescribeNode().Id), Unit.Value);
        release.SetResult();

        Assert.That(info.IsDraining, Is.True);
        Assert.That(await asked.Soon(), Is.EqualTo("x"));
        await stopping.Soon();
    }

    [Test]
    public async Task A_group_that_refuses_its_copy_of_a_request_is_logged_and_reported()
    {
        var release = Failsafe.Signal();
        var entered = Failsafe.Signal();
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport()
                .AddHandler(s_ask, (input, _) => input)
                .AddHandler(s_ask, async (input, _) =>
                {
                    entered.TrySetResult();
                    await release.Task;
                    return input;
                }, options => (options.Group, options.MaxConcurrency, options.MaxQueued) = ("shadow", 1, 0)),
            [("ErrorPolicy", "Queue"), ("Errors:QueueFile", TempFile.Path())]);

        await node.Bus.RequestAsync(s_ask, "first");
        await entered.Task.Soon();
        Assert.That(await node.Bus.RequestAsync(s_ask, "second"), Is.EqualTo("second"));
        release.SetResult();
        await node.StopAsync();

        var report = (await node.ErrorQueue.EmptyAsync(10)).Single();
        Assert.That((report.Status, report.Group), Is.EqualTo((429, "shadow")));
        Assert.That(node.Log.Has(Microsoft.Extensions.Logging.LogLevel.Warning, "Lost a message on own.ask (refused)"), Is.True);
    }

    [Test]
    public async Task A_reply_larger_than_the_caller_accepts_is_413()
    {
        var network = new InMemoryNetwork();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddHandler(s_ask, (_, _) => new string('x', 1000)));
        await using var caller = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network), [("Request:MaxBodyBytes", "100")]);

        var reply = await caller.Bus.TryRequestAsync(s_ask, "x");

        Assert.That((reply.Status, reply.Value), Is.EqualTo((StatusCode.BodyTooLarge, (string?)null)));
        Assert.That(reply.Failure!.Message, Does.Contain("ServiceMesh:Request:MaxBodyBytes"));
    }
}
