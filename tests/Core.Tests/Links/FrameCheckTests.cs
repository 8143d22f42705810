using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>What a reader would refuse is found before it is written.</summary>
public sealed class FrameCheckTests
{
    private static readonly Gen<string> s_contentType = Gen.Elements(
        "", "application/json", "application/msgpack", "text/plain; charset=utf-8", "text/pläin", "a\nb", "\u007f", new string('a', 255),
        new string('a', 256));

    private static readonly Gen<Headers> s_headers =
        from count in Gen.Choose(0, 75)
        from value in Gen.Elements("", "plain", "Grüße", "a\tb", "a\u0085b", new string('x', 900), new string('世', 700))
        select Enumerable.Range(0, count).Aggregate(Headers.Empty, (headers, i) => headers.WithTrusted($"name-{i}", value));

    [Test]
    public void A_reply_is_read_as_it_was_checked() => Check.One(
        TopicGenerators.Seeded.WithMaxTest(2000),
        Prop.ForAll(
            s_contentType.ToArbitrary(), s_headers.ToArbitrary(), Gen.Choose(100, 999).ToArbitrary(), (contentType, headers, status) =>
            {
                var reply = new ReplyMessage { Status = (StatusCode)status, ContentType = contentType, Headers = headers };
                var isFit = ReferenceEquals(FrameCheck.Writable(reply), reply);
                return isFit == IsRead(to => FrameWriter.Reply(to, 7, reply, 0))
                    && IsRead(to => FrameWriter.Reply(to, 7, FrameCheck.Writable(reply), 0));
            }));

    [Test]
    public void A_message_is_read_as_it_was_checked() => Check.One(
        TopicGenerators.Seeded.WithMaxTest(2000),
        Prop.ForAll(
            s_contentType.ToArbitrary(), s_headers.ToArbitrary(),
            (from number in Gen.Elements(0L, 1L, long.MaxValue, -1L, long.MinValue)
             from topic in Gen.Elements(Topic.Parse("a.b"), default)
             from @group in Gen.Elements("_default", "a b", "ä", new string('g', 300))
             select (number, topic, @group)).ToArbitrary(),
            (contentType, headers, names) =>
            {
                var message = new Message
                {
                    Id = new("n", names.number),
                    Kind = MessageKind.Request,
                    Topic = names.topic,
                    ContentType = contentType,
                    Headers = headers,
                };
                return FrameCheck.WhyUnwritable(message, names.group) is null
                    == IsRead(to => FrameWriter.Message(to, 7, message, names.group, FrameDeadline.None));
            }));

    private static bool IsRead(Action<FrameBuffer> write)
    {
        using var buffer = new FrameBuffer();
        write(buffer);
        return FrameReader.Read(buffer.Written, int.MaxValue, new TextPool(), out _, out _, out _) == FrameStatus.Read;
    }
}
