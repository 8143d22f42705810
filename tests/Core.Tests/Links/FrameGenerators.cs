using FsCheck.Fluent;
using FsCheck;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>Frames of every kind with every combination of their fields, and their comparison with a frame that was read.</summary>
internal static class FrameGenerators
{
    private static readonly Gen<string> s_text = Gen.Elements(
        "", "a", "ünï", "value with spaces", "{\"a\":1}", new string('x', 300), "\U0001F600");

    private static readonly Gen<Headers> s_headers =
        from count in Gen.Choose(0, 4)
        from values in s_text.ArrayOf(count)
        select Headers.Of([.. values.Select((value, i) => ($"name-{i}", value))]);

    private static readonly Gen<string> s_contentType = Gen.Elements(
        "", "application/json", "application/msgpack", "text/plain; charset=utf-8");

    private static readonly Gen<byte[]> s_body =
        from length in Gen.Choose(0, 300)
        from seed in Gen.Choose(0, int.MaxValue)
        select Bytes(length, seed);

    private static readonly Gen<long> s_number = Gen.OneOf(
        Gen.Choose(0, 300).Select(n => (long)n), Gen.Elements(127L, 128L, 16384L, long.MaxValue));

    public static readonly Gen<Sent> Any = Gen.OneOf(Messages(), Answers(), Small());

    private static Gen<Sent> Messages() =>
        from isRequest in Gen.Elements(true, false)
        from id in s_number
        from number in s_number
        from topic in TopicGenerators.Topic
        from headers in s_headers
        from contentType in s_contentType
        from body in s_body
        from remaining in Gen.Elements(0u, 1u, 30_000u, uint.MaxValue)
        from clock in Gen.Elements(0u, 1u, uint.MaxValue)
        from instant in s_number
        let deadline = remaining == 0 ? FrameDeadline.None : clock == 0 ? new(remaining) : new FrameDeadline(remaining, clock, instant)
        let message = new Message
        {
            Id = new("node", number),
            Kind = isRequest ? MessageKind.Request : MessageKind.Signal,
            Topic = Topic.Parse(topic),
            Headers = headers,
            ContentType = contentType,
            Body = body,
        }
        let frame = new Frame
        {
            Kind = isRequest ? FrameKind.Request : FrameKind.Signal,
            Id = id,
            Number = number,
            Topic = message.Topic,
            Group = "workers",
            Deadline = deadline,
            Headers = headers,
            ContentType = contentType,
            Body = body,
        }
        select new Sent(frame, to => FrameWriter.Message(to, id, message, "workers", deadline));

    private static Gen<Sent> Answers() =>
        from isReply in Gen.Elements(true, false)
        from id in s_number
        from status in Gen.Choose(isReply ? 100 : 300, 999)
        from load in Gen.Choose(0, int.MaxValue)
        from error in Gen.OneOf(Gen.Constant<string?>(null), s_text.Select(t => (string?)t))
        from notProcessed in Gen.Elements(true, false)
        from isLeaving in Gen.Elements(true, false)
        from retryAfter in Gen.Elements(0u, 1u, 30_000u)
        from headers in s_headers
        from contentType in s_contentType
        from body in s_body
        let reply = new ReplyMessage
        {
            Status = (StatusCode)status,
            Error = error,
            NotProcessed = notProcessed,
            RetryAfter = retryAfter == 0 ? null : TimeSpan.FromMilliseconds(retryAfter),
            Headers = headers,
            ContentType = contentType,
            Body = body,
        }
        let frame = new Frame
        {
            Kind = isReply ? FrameKind.Reply : FrameKind.Refusal,
            Id = id,
            Status = reply.Status,
            Load = load,
            Error = error,
            NotProcessed = notProcessed,
            IsLeaving = isLeaving,
            RetryAfter = retryAfter,
            Headers = isReply ? headers : null!,
            ContentType = isReply ? contentType : null!,
            Body = isReply ? body : default(ReadOnlyMemory<byte>),
        }
        select new Sent(frame, to =>
        {
            if (isReply)
            {
                FrameWriter.Reply(to, id, reply, load, isLeaving);
            }
            else
            {
                FrameWriter.Refusal(to, id, reply, load, isLeaving);
            }
        });

    private static Gen<Sent> Small() =>
        from kind in Gen.Elements(FrameKind.Cancel, FrameKind.Ping, FrameKind.Pong, FrameKind.Leave)
        from id in kind == FrameKind.Leave ? Gen.Constant(0L) : s_number
        from stamp in s_number
        from load in Gen.Choose(0, int.MaxValue)
        from clock in Gen.Elements(0u, 1u, uint.MaxValue)
        from time in s_number
        let hasClock = kind == FrameKind.Pong && clock != 0
        select new Sent(
            new()
            {
                Kind = kind,
                Id = id,
                Stamp = kind is FrameKind.Cancel or FrameKind.Leave ? 0 : stamp,
                Load = kind == FrameKind.Pong ? load : 0,
                ClockId = hasClock ? clock : 0,
                ClockTime = hasClock ? time : 0,
            },
            to =>
            {
                switch (kind)
                {
                    case FrameKind.Cancel:
                        FrameWriter.Cancel(to, id);
                        break;
                    case FrameKind.Ping:
                        FrameWriter.Ping(to, id, stamp);
                        break;
                    case FrameKind.Leave:
                        FrameWriter.Leave(to);
                        break;
                    default:
                        FrameWriter.Pong(to, id, stamp, load, clock: hasClock ? (clock, time) : null);
                        break;
                }
            });

    public static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>A frame as it should be read, and what writes it.</summary>
    internal sealed record Sent(Frame Frame, Action<FrameBuffer> Write)
    {
        public byte[] Bytes()
        {
            using var buffer = new FrameBuffer();
            Write(buffer);
            return buffer.Written.ToArray();
        }

        public bool IsSameAs(Frame other) =>
            other.Kind == Frame.Kind && other.Id == Frame.Id && other.Number == Frame.Number
            && other.Topic == Frame.Topic && other.Group == Frame.Group
            && other.Deadline == Frame.Deadline && other.Status == Frame.Status
            && other.Error == Frame.Error && other.NotProcessed == Frame.NotProcessed
            && other.IsLeaving == Frame.IsLeaving && other.RetryAfter == Frame.RetryAfter
            && other.ClockId == Frame.ClockId && other.ClockTime == Frame.ClockTime
            && other.Load == Frame.Load && other.Stamp == Frame.Stamp && other.ContentType == Frame.ContentType
            && other.Body.Span.SequenceEqual(Frame.Body.Span)
            && (other.Headers ?? Headers.Empty).SequenceEqual(Frame.Headers ?? Headers.Empty);

        public override string ToString() => $"{Frame.Kind} {Frame.Id}";
    }
}
