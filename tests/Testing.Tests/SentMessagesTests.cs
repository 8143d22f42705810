using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class SentMessagesTests
{
    private MeshTestHost _mesh = null!;

    [SetUp]
    public async Task StartAsync() => _mesh = await MeshTestHost.StartAsync(bus => bus
        .AddHandler(Ask, (input, _) => $"got {input}")
        .AddHandler(Other, (input, _) => input));

    [TearDown]
    public async Task StopAsync() => await _mesh.DisposeAsync();

    [Test]
    public async Task What_was_sent_is_kept_in_order_with_kind_headers_and_value()
    {
        await _mesh.Bus.RequestAsync(Ask, "a", new() { Headers = Headers.Of(("tenant", "t1")) });
        await _mesh.Bus.SignalAsync(News, "b");

        Assert.That(_mesh.Sent.All.Select(m => (m.Kind, m.Topic.ToString(), m.Read<string>())), Is.EqualTo(
            [(MessageKind.Request, "testing.ask", "a"), (MessageKind.Signal, "testing.news", "b")]));
        Assert.That(_mesh.Sent.All[0].Headers["tenant"], Is.EqualTo("t1"));
    }

    [Test]
    public async Task Each_step_of_a_composition_is_kept()
    {
        await _mesh.Bus.ExecuteAsync(Ask | Other, "a");

        Assert.That(_mesh.Sent.To(Ask), Is.EqualTo(["a"]));
        Assert.That(_mesh.Sent.To(Other), Is.EqualTo(["got a"]));
    }

    [Test]
    public async Task The_topics_of_the_bus_itself_are_left_out()
    {
        await _mesh.Bus.RequestAsync(MeshTopics.Node(_mesh.Bus.DescribeNode().Id), default);

        _mesh.Sent.AssertNothing();
    }

    [Test]
    public async Task Bodies_of_another_serializer_are_read()
    {
        await using var mesh = await MeshTestHost.StartAsync(
            bus => bus.AddMessagePackSerializer(),
            new() { Settings = new Dictionary<string, string?> { ["Serializer"] = "MessagePack" } });

        await mesh.Bus.SignalAsync(News, "a");

        Assert.That(mesh.Sent.AssertOne(News), Is.EqualTo("a"));
        Assert.That(mesh.Sent.All[0].ToString(), Is.EqualTo("signal 'testing.news': 2 bytes of application/msgpack"));
    }

    [Test]
    public async Task One_that_matches_is_returned()
    {
        await _mesh.Bus.SignalAsync(News, "a");
        await _mesh.Bus.SignalAsync(News, "b");
        await _mesh.Bus.RequestAsync(Ask, "c");

        Assert.That(_mesh.Sent.AssertOne(News, text => text == "b"), Is.EqualTo("b"));
        Assert.That(_mesh.Sent.AssertOne(Ask), Is.EqualTo("c"));
        Assert.That(_mesh.Sent.AssertCount(2, News), Is.EqualTo(["a", "b"]));
        Assert.That(_mesh.Sent.AssertCount(0, Other), Is.Empty);
    }

    [Test]
    public async Task A_failed_assertion_says_what_was_expected_and_lists_what_was_sent()
    {
        await _mesh.Bus.RequestAsync(Ask, "a");
        await _mesh.Bus.SignalAsync(News, "b");

        Assert.That(() => _mesh.Sent.AssertOne(News, text => text == "x"), Throws.TypeOf<MeshAssertionException>().With.Message.EqualTo(
            """
            Expected 1 signal to 'testing.news' with text => text == "x"; there were 0.
            Sent were:
              request 'testing.ask': "a"
              signal 'testing.news': "b"
            """.ReplaceLineEndings()));
        Assert.That(
            () => _mesh.Sent.AssertCount(2, Ask),
            Throws.TypeOf<MeshAssertionException>().With.Message.StartsWith("Expected 2 requests to 'testing.ask'; there was 1."));
        Assert.That(() => _mesh.Sent.AssertCount(2, News), Throws.TypeOf<MeshAssertionException>());
        Assert.That(() => _mesh.Sent.AssertOne(Other), Throws.TypeOf<MeshAssertionException>());
        Assert.That(
            _mesh.Sent.AssertNothing,
            Throws.TypeOf<MeshAssertionException>().With.Message.StartsWith("Expected no message."));
    }

    [Test]
    public void A_failed_assertion_says_that_nothing_was_sent() => Assert.That(
        () => _mesh.Sent.AssertOne(Ask),
        Throws.TypeOf<MeshAssertionException>().With.Message.EqualTo(
            "Expected 1 request to 'testing.ask'; there were 0.\nNothing was sent.".ReplaceLineEndings()));

    [Test]
    public async Task A_long_list_and_a_long_body_are_cut()
    {
        for (var i = 0; i < 51; i++)
        {
            await _mesh.Bus.SignalAsync(News, new string('a', 300));
        }

        var message = Assert.Throws<MeshAssertionException>(_mesh.Sent.AssertNothing)!.Message;

        Assert.That(message, Does.EndWith("  and 1 more").And.Contain("… (302 bytes)"));
    }

    [Test]
    public async Task Messages_of_the_background_are_waited_for()
    {
        var waiting = _mesh.Sent.WaitForAsync(News, text => text == "b");
        await _mesh.Bus.SignalAsync(News, "a");
        Assert.That(waiting.IsCompleted, Is.False);
        await _mesh.Bus.SignalAsync(News, "b");

        Assert.That(await waiting.InTime(), Is.EqualTo("b"));
        Assert.That(await _mesh.Sent.WaitForAsync(News), Is.EqualTo("a"), "what was sent before counts");
        var request = _mesh.Sent.WaitForAsync(Ask);
        await _mesh.Bus.RequestAsync(Ask, "c");
        Assert.That(await request.InTime(), Is.EqualTo("c"));
    }

    [Test]
    public async Task A_wait_ends_with_what_was_expected()
    {
        await _mesh.Bus.SignalAsync(News, "a");

        Assert.That(
            () => _mesh.Sent.WaitForAsync(Ask, within: TimeSpan.FromMilliseconds(1)),
            Throws.TypeOf<MeshAssertionException>().With.Message.StartsWith("Expected 1 request to 'testing.ask' within 00:00:00.001")
                .And.Message.Contains("signal 'testing.news': \"a\""));
    }

    [Test]
    public async Task What_was_sent_before_is_forgotten()
    {
        await _mesh.Bus.SignalAsync(News, "a");
        _mesh.Sent.Clear();
        await _mesh.Bus.SignalAsync(News, "b");

        Assert.That(_mesh.Sent.To(News), Is.EqualTo(["b"]));
    }
}
