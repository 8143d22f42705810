using System.Text;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Wire;

/// <summary>The envelopes as the Go and Ruby implementations write and read them.</summary>
public class GilmourWireTests
{
    private static readonly Topic s_topic = Topic.Parse("echo");

    [Test]
    public void Names_are_theirs()
    {
        Assert.That(GilmourWire.RequestChannel(s_topic), Is.EqualTo("gilmour.request.echo"));
        Assert.That(GilmourWire.SignalChannels(TopicPattern.Parse("event.*")), Is.EqualTo(["gilmour.slot.event.*"]));
        Assert.That(GilmourWire.RequestChannel(Topic.Parse("gilmour.health.x")), Is.EqualTo("gilmour.health.x"));
        Assert.That(GilmourWire.ReplyChannel(new("abc", -1)), Is.EqualTo("gilmour.response.abc"));
        Assert.That(GilmourWire.ClaimKey(new("abc", -1), "_default"), Is.EqualTo("abc_default"));
    }

    [TestCase("""{"data": {"a": 1}, "code": 0, "sender": "s1"}""", "s1", """{"a": 1}""")]
    [TestCase("""{"sender": "s1", "unknown": [1, {"x": 2}], "data": "t", "code": null}""", "s1", "\"t\"")]
    [TestCase("""{"code": 200, "sender": "s1"}""", "s1", "null")]
    public void A_foreign_request_is_read(string payload, string sender, string data)
    {
        Assert.That(
            GilmourWire.TryReadMessage(
                MessageKind.Request, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out var read, out var error),
            Is.True, error);
        Assert.That((read!.Sender, Encoding.UTF8.GetString(read.Body.Span)), Is.EqualTo((sender, data)));
    }

    [TestCase("[1,2]", "[1,2]")]
    [TestCase("""{"a": 1}""", """{"a": 1}""")]
    [TestCase("""{"data": 1, "sender": ""}""", "1")]
    [TestCase("""{"data": 1, "sender": null}""", "1")]
    public void A_payload_without_a_sender_has_a_name_that_no_other_has(string payload, string data)
    {
        MessageId Read()
        {
            Assert.That(
                GilmourWire.TryReadMessage(
                    MessageKind.Signal, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out var read, out var error),
                Is.True, error);
            Assert.That(Encoding.UTF8.GetString(read!.Body.Span), Is.EqualTo(data));
            return read.Id;
        }

        Assert.That(Read(), Is.Not.EqualTo(Read()), "else the first would be claimed, and so all that follow");
    }

    [TestCase("""{"data": 1""")]
    [TestCase("not json")]
    [TestCase("")]
    public void A_payload_that_is_not_JSON_is_refused_with_a_sentence(string payload)
    {
        Assert.That(
            GilmourWire.TryReadMessage(
                MessageKind.Request, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out _, out var error),
            Is.False);
        Assert.That(error, Is.Not.Empty);
    }

    [Test]
    public void A_foreign_failure_keeps_its_code_and_its_sentence()
    {
        var payload = """{"data": "Execution timed out", "code": 499, "sender": "gilmour.response.n.4"}"""u8.ToArray();
        Assert.That(
            GilmourWire.TryReadAnswer(StackExchange.Redis.RedisChannel.Literal("gilmour.response.n.4"),
                payload, out var request, out var answer, out _),
            Is.True);
        var reply = answer!.Reply;
        Assert.That((request, reply.Status, reply.Error), Is.EqualTo((4L, StatusCode.HandlerTimeout, "Execution timed out")));
    }

    [TestCase("""{"data": 1, "sender": "name.5"}""", "name.5", -1)]
    [TestCase("""{"data": 1, "sender": "name.5", "mesh": 1}""", "name", 5)]
    [TestCase("""{"data": 1, "sender": "name.5", "mesh": "1"}""", "name.5", -1)]
    [TestCase("""{"data": 1, "sender": "name.05", "mesh": 1}""", "name.05", -1)]
    public void A_sender_ends_in_a_number_only_when_it_is_marked_as_ours(string payload, string node, long number)
    {
        GilmourWire.TryReadMessage(MessageKind.Request, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out var read, out _);
        Assert.That(read!.Id, Is.EqualTo(new MessageId(node, number)));
        Assert.That(GilmourWire.ReplyChannel(read.Id), Is.EqualTo("gilmour.response." + read.Id));
    }

    [TestCase(", \"mesh\": 1", true)]
    [TestCase("", false)]
    public void What_only_we_know_is_read_from_those_who_know_it(string mark, bool isRead)
    {
        var payload =
            $$"""{"headers": {"k": "v"}, "remaining_ms": 300, "error": 7, "not_processed": [], "data": 1, "sender": "s"{{mark}}}""";
        Assert.That(
            GilmourWire.TryReadMessage(
                MessageKind.Request, s_topic, Encoding.UTF8.GetBytes(payload), TimeProvider.System, out var read, out var error),
            Is.True, error);
        Assert.That((read!.Headers["k"], read.Deadline.Exists), Is.EqualTo((isRead ? "v" : null, isRead)));
    }

    [Test]
    public void Our_own_request_reads_back()
    {
        var request = new Message
        {
            Id = new("n1", 258),
            Kind = MessageKind.Request,
            Topic = s_topic,
            Headers = Headers.Of(("k", "v")),
            ContentType = "application/json",
            Body = "7"u8.ToArray(),
        };
        Assert.That(
            Encoding.UTF8.GetString(GilmourWire.Write(request)),
            Is.EqualTo("""{"data":7,"code":0,"sender":"n1.258","mesh":1,"headers":{"k":"v"}}"""));
        GilmourWire.TryReadMessage(MessageKind.Request, s_topic, GilmourWire.Write(request), TimeProvider.System, out var read, out _);
        Assert.That((read!.Id, read.Headers["k"], Encoding.UTF8.GetString(read.Body.Span)), Is.EqualTo((request.Id, "v", "7")));
    }
}
