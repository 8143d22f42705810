using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>How the bus reacts to a transport that fails or breaks its contract.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class TransportFailureTests
{
    private static readonly RequestTopic<string, string> s_request = new("a.b");
    private static readonly SignalTopic<string> s_signal = new("a.b");

    private readonly ScriptedTransport _transport = new();

    [Test]
    public async Task A_request_on_an_unavailable_transport_is_503_with_its_message()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => throw new TransportException("No connection to redis:6379.");
        var reply = await node.Bus.TryRequestAsync(s_request, "x").Soon();
        Assert.That((reply.Status, reply.Failure!.Message), Is.EqualTo((StatusCode.Unavailable, "No connection to redis:6379.")));
        Assert.That(async () => await node.Bus.RequestAsync(s_request, "x").Soon(), Throws.TypeOf<TransportUnavailableException>());
    }

    [TestCase(typeof(InvalidTimeZoneException))]
    [TestCase(typeof(OperationCanceledException))]
    public async Task A_transport_that_throws_anything_else_is_503_and_logged_as_breaking_its_contract(Type type)
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => throw (Exception)Activator.CreateInstance(type)!;
        _transport.OnSignal = (_, _) => throw (Exception)Activator.CreateInstance(type)!;
        Assert.That((await node.Bus.TryRequestAsync(s_request, "x").Soon()).Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(node.Log.Has(LogLevel.Error, "The transport broke its contract on a.b"), Is.True);
        Assert.That(async () => await node.Bus.SignalAsync(s_signal, "x").Soon(), Throws.TypeOf<TransportUnavailableException>());
        Assert.That(node.Log.Has(LogLevel.Warning, "Lost a message on a.b (not-sent)"), Is.True);
    }

    [Test]
    public async Task A_signal_that_cannot_be_sent_throws_and_is_counted_logged_and_reported()
    {
        var file = TempFile.Path();
        await using (var node = await StartAsync(("ErrorPolicy", "Queue"), ("Errors:QueueFile", file)))
        {
            var cause = new IOException("broken pipe");
            _transport.OnSignal = (_, _) => throw new TransportException("No connection.", cause);
            var thrown = (await Assert.ThrowsAsync<TransportUnavailableException>(() => node.Bus.SignalAsync(s_signal, "x").Soon()))!;
            Assert.That(thrown.Failure.Exception?.InnerException, Is.SameAs(cause));
            Assert.That(node.Log.Has(LogLevel.Warning, "Lost a message on a.b (not-sent) from "), Is.True);
        }

        Assert.That(await File.ReadAllTextAsync(file), Does.Contain("broken pipe").And.Contains("\"Status\":503"));
    }

    [Test]
    public async Task Each_receiver_that_did_not_get_a_signal_is_logged_as_a_loss()
    {
        await using var node = await StartAsync();
        _transport.OnSignal = (_, _) => new(new SignalResult(1) { Failures = ["http://one: 500", "http://two: gone"] });
        var result = await node.Bus.SignalAsync(s_signal, "x").Soon();
        Assert.That(result.Receivers, Is.EqualTo(1));
        Assert.That(node.Log.Has(LogLevel.Warning, "Lost a message on a.b (receiver-failed) from "), Is.True);
        Assert.That(node.Log.Has(LogLevel.Warning, ": http://one: 500"), Is.True);
        await node.StopAsync();
        Assert.That(node.Log.Has(LogLevel.Warning, "1 more lines like this one"), Is.True, "the other is counted");
    }

    [Test]
    public async Task A_reply_that_cannot_be_decoded_is_500_with_the_position_and_keeps_its_headers()
    {
        var file = TempFile.Path();
        await using (var node = await StartAsync(("ErrorPolicy", "Queue"), ("Errors:QueueFile", file)))
        {
            _transport.OnRequest = (_, _) => new(new ReplyMessage
            {
                Status = StatusCode.Ok,
                ContentType = "application/json",
                Body = "{}"u8.ToArray(),
                Headers = Headers.Of(("h", "1")),
            });
            var reply = await node.Bus.TryRequestAsync(s_request, "x").Soon();
            Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
            Assert.That(reply.Failure!.Message, Does.Contain("this node cannot read the answer").And.Contains("line 1"));
            Assert.That(reply.Failure.Exception, Is.TypeOf<MalformedBodyException>());
            Assert.That(reply.Headers["h"], Is.EqualTo("1"));
        }

        Assert.That(File.ReadLines(file).Count(), Is.EqualTo(1), "only the caller knows it, so the caller reports it");
    }

    [Test]
    public async Task A_reply_with_a_content_type_without_a_serializer_is_500_and_names_it()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => new(
            new ReplyMessage { Status = StatusCode.Ok, ContentType = "text/html", Body = "<p>"u8.ToArray() });
        Assert.That((await node.Bus.TryRequestAsync(s_request, "x").Soon()).Failure!.Message, Does.Contain("'text/html'"));
    }

    [Test]
    public async Task The_body_of_a_failing_status_may_be_anything()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => new(new ReplyMessage
        {
            Status = (StatusCode)422,
            ContentType = "text/html",
            Body = "<p>"u8.ToArray(),
            Error = "No such city.",
            Headers = Headers.Of(("h", "1")),
        });
        var reply = await node.Bus.TryRequestAsync(s_request, "x").Soon();
        Assert.That(((int)reply.Status, reply.Failure!.Message, reply.Value), Is.EqualTo((422, "No such city.", (string?)null)));
        Assert.That(reply.Headers["h"], Is.EqualTo("1"));
    }

    [Test]
    public async Task A_failing_status_without_a_message_gets_a_default_message()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => new(new ReplyMessage { Status = StatusCode.HandlerFailed });
        Assert.That((await node.Bus.TryRequestAsync(s_request, "x").Soon()).Failure!.Message, Is.EqualTo("No details were given."));
    }

    private Task<TestNode> StartAsync(params (string, string)[] settings) => TestNode.StartAsync(_transport.AddTo, settings);
}
