using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>A topic without a handler: the caller knows it at once, and it is never reported as a timeout.</summary>
public abstract class NoHandlerTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task A_topic_without_a_handler_is_404_within_100_ms()
    {
        await StartAsync(mesh => mesh.AddHandler(Other, Echo));
        var caller = await StartAsync();
        var fastest = TimeSpan.MaxValue;

        // The first request also opens connections and compiles code, and a busy machine may delay any request.
        for (var i = 0; i < 5; i++)
        {
            var watch = Stopwatch.StartNew();
            var reply = await caller.Bus.TryRequestAsync(Ask, "hello");
            fastest = watch.Elapsed < fastest ? watch.Elapsed : fastest;

            using (Assert.EnterMultipleScope())
            {
                Assert.That(reply.Status, Is.EqualTo(StatusCode.NotFound));
                Assert.That(reply.Failure?.Kind, Is.EqualTo(FailureKind.NoHandler));
                Assert.That(reply.Failure?.NotProcessed, Is.True);
                Assert.That(reply.Failure?.Message, Does.Contain("conformance.ask"), "the message names the topic");
            }
        }

        Assert.That(fastest, Is.LessThan(TimeSpan.FromMilliseconds(100)));
    }

    [Test]
    public async Task A_request_without_a_handler_throws_NoHandlerException()
    {
        var caller = await StartAsync();

        var thrown = await Assert.ThrowsAsync<NoHandlerException>(() => caller.Bus.RequestAsync(Ask, "hello"));

        Assert.That(thrown?.Failure.Step, Is.EqualTo("conformance.ask"));
    }

    [TestCase("conformance")]
    [TestCase("conformance.as")]
    [TestCase("conformance.asks")]
    [TestCase("conformance.ask.more")]
    [TestCase("Conformance.Ask")]
    public async Task A_similar_topic_is_another_topic(string similar)
    {
        await StartAsync(mesh => mesh.AddHandler(new RequestTopic<string, string>(similar), Echo));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That((reply.Status, reply.Failure?.Kind), Is.EqualTo((StatusCode.NotFound, FailureKind.NoHandler)));
    }

    [Test]
    public async Task A_signal_subscriber_does_not_answer_requests()
    {
        var inbox = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(new SignalTopic<string>("conformance.ask"), inbox.ReceiveAsync));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.NotFound));
            Assert.That(inbox.All, Is.Empty);
        }
    }

    [Test]
    public async Task A_topic_is_unhandled_again_when_its_last_node_has_stopped()
    {
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();
        Assert.That(await caller.Bus.RequestAsync(Ask, "still there"), Is.EqualTo("still there"));

        await StopAsync(server);

        // The news travels: until it is here, the caller knows of a node that is leaving, and does not blame the handler for it.
        var early = new List<Reply<string>>();
        await Failsafe.UntilAsync(async () =>
        {
            var reply = await caller.Bus.TryRequestAsync(Ask, "");
            early.Add(reply);
            return reply.Status == StatusCode.NotFound;
        });
        Assert.That(early.Select(r => r.Failure!.NotProcessed), Is.All.True);
        Assert.That(early.SkipLast(1).Select(r => r.Status), Is.All.EqualTo(StatusCode.Unavailable));
    }
}
