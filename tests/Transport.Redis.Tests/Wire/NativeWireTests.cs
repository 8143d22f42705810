using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Wire;

/// <summary>The native frames, byte by byte as docs/redis-wire.md has them, and what is not one.</summary>
public class NativeWireTests
{
    private static readonly NativeWire s_wire = new("mesh");
    private static readonly Topic s_topic = Topic.Parse("a.b");

    private static Message Request(FakeTimeProvider clock) => new()
    {
        Id = new("n1", 258),
        Kind = MessageKind.Request,
        Topic = s_topic,
        Headers = Headers.Of(("k", "v")),
        ContentType = "application/json",
        Body = "7"u8.ToArray(),
        Deadline = Deadline.After(TimeSpan.FromMilliseconds(300), clock),
    };

    [Test]
    public void A_request_is_these_bytes()
    {
        byte[] expected =
        [
            1, 1,                       // version, kind
            2, 1, 0, 0, 0, 0, 0, 0,     // number 258
            2, (byte)'n', (byte)'1',    // node
            0xAC, 0x02,                 // 300 ms
            1, 1, (byte)'k', 1, (byte)'v',
            1,                          // JSON
            (byte)'7',
        ];
        Assert.That(s_wire.Write(Request(new())), Is.EqualTo(expected));
    }

    [Test]
    public void A_body_in_MessagePack_has_the_mark_2()
    {
        byte[] expected =
        [
            1, 1,
            2, 1, 0, 0, 0, 0, 0, 0,
            2, (byte)'n', (byte)'1',
            0xAC, 0x02,
            1, 1, (byte)'k', 1, (byte)'v',
            2,                          // MessagePack
            0x07,
        ];
        var clock = new FakeTimeProvider();
        var frame = s_wire.Write(Request(clock) with { ContentType = "application/msgpack", Body = new byte[] { 7 } });
        Assert.That(frame, Is.EqualTo(expected));
        Assert.That(s_wire.TryReadMessage(MessageKind.Request, s_topic, expected, clock, out var read, out _), Is.True);
        Assert.That((read!.ContentType, read.Body.ToArray()), Is.EqualTo(("application/msgpack", new byte[] { 7 })).Using<(string, byte[])>((a, b) => a.Item1 == b.Item1 && a.Item2.SequenceEqual(b.Item2)));
    }

    [Test]
    public void A_request_reads_back()
    {
        var clock = new FakeTimeProvider();
        Assert.That(s_wire.TryReadMessage(MessageKind.Request, s_topic, s_wire.Write(Request(clock)), clock, out var read, out _), Is.True);
        Assert.That((read!.Id, read.ContentType, read.Headers["k"]), Is.EqualTo((new MessageId("n1", 258), "application/json", "v")));
        Assert.That(read.Body.ToArray(), Is.EqualTo("7"u8.ToArray()));
        Assert.That(read.Deadline.Remaining, Is.EqualTo(TimeSpan.FromMilliseconds(300)));
    }

    [Test]
    public void A_reply_reads_back_with_its_marks()
    {
        var frame = s_wire.Write(new MessageId("n1", 7), new Answer(ReplyMessage.Failure(StatusCode.Overloaded, "full", notProcessed: true)));
        Assert.That(s_wire.TryReadAnswer("mesh:reply:n1", frame, out var request, out var answer, out _), Is.True);
        var reply = answer!.Reply;
        Assert.That((request, reply.Status, reply.Error, reply.NotProcessed), Is.EqualTo((7L, StatusCode.Overloaded, "full", true)));
        Assert.That(answer.RefusedGroups, Is.Null);
    }

    [Test]
    public void A_refusal_is_these_bytes_and_reads_back()
    {
        byte[] expected =
        [
            1, 3,                       // version, kind
            7, 0, 0, 0, 0, 0, 0, 0,     // number
            0xAD, 0x03,                 // 429
            7,                          // an error follows, not processed, a refusal
            4, (byte)'f', (byte)'u', (byte)'l', (byte)'l',
            2, 1, (byte)'a', 1, (byte)'b',
            0,                          // no headers
            0, 0,                       // no media type
        ];
        var frame = s_wire.Write(new MessageId("n1", 7), new Answer(ReplyMessage.Failure(StatusCode.Overloaded, "full", notProcessed: true), ["a", "b"]));
        Assert.That(frame, Is.EqualTo(expected));
        Assert.That(s_wire.TryReadAnswer("mesh:reply:n1", frame, out _, out var answer, out _), Is.True);
        Assert.That(answer!.RefusedGroups, Is.EqualTo(["a", "b"]));
    }

    [Test]
    public void Every_beginning_of_a_request_is_refused_with_a_sentence_until_the_body_begins()
    {
        var frame = s_wire.Write(Request(new()));
        for (var length = 0; length < frame.Length - 1; length++)
        {
            Assert.That(s_wire.TryReadMessage(MessageKind.Request, s_topic, frame.AsMemory(0, length), TimeProvider.System, out _, out var error), Is.False, $"{length}");
            Assert.That(error, Is.Not.Empty);
        }
    }

    [Test]
    public void Another_version_is_named()
    {
        var frame = s_wire.Write(Request(new()));
        frame[0] = 9;
        s_wire.TryReadMessage(MessageKind.Request, s_topic, frame, TimeProvider.System, out _, out var error);
        Assert.That(error, Does.Contain("version 9").And.Contain("version 1"));
    }

    [Test]
    public void Random_bytes_never_throw()
    {
        var random = new Random(1);
        for (var i = 0; i < 100_000; i++)
        {
            var frame = new byte[random.Next(64)];
            random.NextBytes(frame);
            if (frame.Length > 1)
            {
                (frame[0], frame[1]) = (1, (byte)random.Next(1, 6));
            }

            s_wire.TryReadMessage(MessageKind.Request, s_topic, frame, TimeProvider.System, out _, out _);
            s_wire.TryReadAnswer("mesh:reply:n", frame, out _, out _, out _);
            s_wire.TryReadNotice(frame, out _);
        }
    }
}
