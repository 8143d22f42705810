using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Every node tells any other who it is and what it handles.</summary>
public abstract class PresenceTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task A_node_answers_who_it_is_and_what_it_handles()
    {
        var asked = await StartAsync(
            mesh => mesh
                .AddHandler(Ask, Echo)
                .AddHandler(Other, Echo, options => options.Group = "workers")
                .AddHandler(News, (_, _) => { }),
            ("NodeName", "weather"));
        var caller = await StartAsync();

        var info = await caller.Bus.RequestAsync(MeshTopics.Node(asked.Id), Unit.Value);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(info.Id, Is.EqualTo(asked.Id).And.StartWith("weather-"));
            Assert.That(info.Name, Is.EqualTo("weather"));
            Assert.That(info.Host, Is.EqualTo(asked.Bus.DescribeNode().Host));
            Assert.That(info.ProcessId, Is.EqualTo(asked.Bus.DescribeNode().ProcessId));
            Assert.That(info.Uptime, Is.InRange(TimeSpan.Zero, asked.Bus.DescribeNode().Uptime));
            Assert.That(info.IsDraining, Is.False);
            Assert.That(info.Subscriptions.Where(s => s.Pattern.StartsWith("conformance.", StringComparison.Ordinal)), Is.EquivalentTo(
            [
                new SubscriptionInfo { Kind = MessageKind.Request, Pattern = "conformance.ask", Group = "_default" },
                new SubscriptionInfo { Kind = MessageKind.Request, Pattern = "conformance.other", Group = "workers" },
                new SubscriptionInfo { Kind = MessageKind.Signal, Pattern = "conformance.news" },
            ]));
        }
    }

    [Test]
    public async Task Node_information_travels_as_JSON_with_every_serializer()
    {
        var asked = await StartAsync();
        var types = new Inbox<string>();
        var caller = await StartAsync(mesh =>
        {
            mesh.Services.AddSingleton(types);
            mesh.AddSendMiddleware<ContentTypes>();
        });

        await caller.Bus.RequestAsync(MeshTopics.Node(asked.Id), Unit.Value);

        Assert.That((await types.NextAsync(), await types.NextAsync()), Is.EqualTo(("application/json", "application/json")));
    }

    [Test]
    public async Task Each_node_has_an_id_of_its_own_and_answers_for_itself()
    {
        var nodes = new[]
        {
            await StartAsync(null, ("NodeName", "same")),
            await StartAsync(null, ("NodeName", "same")),
            await StartAsync(),
        };

        foreach (var from in nodes)
        {
            foreach (var to in nodes)
            {
                Assert.That((await from.Bus.RequestAsync(MeshTopics.Node(to.Id), Unit.Value)).Id, Is.EqualTo(to.Id));
            }
        }

        Assert.That(nodes.Select(n => n.Id), Is.Unique);
    }

    [Test]
    public async Task The_nodes_of_a_mesh_are_listed_with_what_they_handle_until_they_stop()
    {
        var handles = await StartAsync(mesh => mesh.AddHandler(Ask, Echo, options => options.Group = "workers"));
        var asks = await StartAsync();
        async Task<IReadOnlyList<NodeInfo>> ListAsync() => await asks.Bus.ListNodesAsync();

        await Failsafe.UntilAsync(async () => (await ListAsync()).Count == 2);
        var listed = await ListAsync();
        Assert.That(listed.Select(n => n.Id), Is.EquivalentTo([handles.Id, asks.Id]));
        Assert.That(
            listed.Single(n => n.Id == handles.Id).Subscriptions,
            Does.Contain(new SubscriptionInfo { Kind = MessageKind.Request, Pattern = "conformance.ask", Group = "workers" }));

        await StopAsync(handles);
        await Failsafe.UntilAsync(async () => (await ListAsync()).Single().Id == asks.Id);
    }

    [Test]
    public async Task A_node_reports_the_handlers_added_and_removed_at_run_time()
    {
        var asked = await StartAsync();
        var caller = await StartAsync();
        async Task<bool> HandlesAsync() =>
            (await caller.Bus.RequestAsync(MeshTopics.Node(asked.Id), Unit.Value)).Subscriptions.Any(s => s.Pattern == "conformance.ask");

        var before = await HandlesAsync();
        var subscription = await asked.Bus.SubscribeAsync(Ask, (input, _) => Task.FromResult(input));
        var during = await HandlesAsync();
        await subscription.DisposeAsync();

        Assert.That((before, during, await HandlesAsync()), Is.EqualTo((false, true, false)));
    }

    [Test]
    public async Task A_request_to_a_node_that_does_not_run_is_404()
    {
        var leaves = await StartAsync();
        var caller = await StartAsync();
        var never = await caller.Bus.TryRequestAsync(MeshTopics.Node("missing-1-00000000"), Unit.Value);

        await StopAsync(leaves);
        var stopped = await caller.Bus.TryRequestAsync(MeshTopics.Node(leaves.Id), Unit.Value);

        Assert.That((never.Status, stopped.Status), Is.EqualTo((StatusCode.NotFound, StatusCode.NotFound)));
    }

    /// <summary>The content type of each request, and then of its reply.</summary>
    private sealed class ContentTypes(Inbox<string> types) : ISendMiddleware
    {
        public async ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
        {
            types.Put(request.ContentType);
            var reply = await next(request, cancellationToken);
            types.Put(reply.ContentType);
            return reply;
        }
    }
}
