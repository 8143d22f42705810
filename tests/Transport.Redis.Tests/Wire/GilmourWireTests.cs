using System.Text;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Wire;

/// <summary>The envelopes as the Go and Ruby implementations write and read them.</summary>
public class GilmourWireTests
{
    private static readonly GilmourWire s_wire = new();
    private static readonly Topic s_topic = Topic.Parse("echo");

    [Test]
    public void Names_are_theirs()
    {
        Assert.That(s_wire.RequestChannel(s_topic), Is.EqualTo("gilmour.request.echo"));
        Assert.That(s_wire.SignalChannel(TopicPattern.Parse("event.*")), Is.EqualTo("gilmour.slot.event.*"));
        Assert.That(s_wire.RequestChannel(Topic.Parse("gilmour.health.x")), Is.EqualTo("gilmour.health.x"));
        Assert.That(s_wire.ReplyChannel(new("abc", -1)), Is.EqualTo("gilmour.response.abc"));
        Assert.That(s_wire.ClaimKey(new("abc", -1), "_default"), Is.EqualTo("abc_default"));
    }

    [TestCase("""{"data": {"a": 1}, "code": 0, "sender": "s1"}""", "s1", """{"a": 1}""")]
    [TestCase("""{"sender": "s1", "unknown": [1, {"x": 2}], "data": "t", "code": null}""", "s1", "\"t\"")]
    [TestCase("""{"code": 200, "sender": "s1"}""", "s1", "null")]
    [TestCase("[1,2]", "", "[1,2]")]
    public void A_foreign_request_is_read(string payload, string sender, string data)
    {
        Assert.That(s_wire.TryReadMessage(MessageKind.Request, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out var read, out var error), Is.True, error);
        Assert.That((read!.Sender, Encoding.UTF8.GetString(read.Body.Span)), Is.EqualTo((sender, data)));
    }

    [TestCase("""{"data": 1""")]
    [TestCase("not json")]
    [TestCase("")]
    public void What_is_no_json_is_refused_with_a_sentence(string payload)
    {
        Assert.That(s_wire.TryReadMessage(MessageKind.Request, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out _, out var error), Is.False);
        Assert.That(error, Is.Not.Empty);
    }

    [Test]
    public void A_foreign_failure_keeps_its_code_and_its_sentence()
    {
        var payload = """{"data": "Execution timed out", "code": 499, "sender": "gilmour.response.n.4"}"""u8.ToArray();
        Assert.That(s_wire.TryReadReply("gilmour.response.n.4", payload, out var request, out var reply, out _), Is.True);
        Assert.That((request, reply!.Status, reply.Error), Is.EqualTo((4L, StatusCode.HandlerTimeout, "Execution timed out")));
    }
}
