using FsCheck;
using FsCheck.Fluent;
using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>Frames that arrive as a stream, in pieces of any size.</summary>
public sealed class FrameStreamTests
{
    private const int MaxFrame = 1 << 20;

    [Test]
    public void Frames_are_read_whatever_the_pieces_are_in_which_they_arrive() =>
        Check.One(
            TopicGenerators.Seeded.WithMaxTest(300),
            Prop.ForAll(FrameGenerators.Any.ListOf().ToArbitrary(), Gen.Choose(1, 5_000).ToArbitrary(), (sent, piece) =>
            {
                var stream = new FrameStream(MaxFrame);
                byte[] bytes = [.. FrameWriter.Preamble("node"), .. sent.SelectMany(s => s.Bytes())];
                var read = new List<Frame>();
                var hasPreamble = false;
                for (var at = 0; at < bytes.Length;)
                {
                    var count = Math.Min(Math.Min(piece, bytes.Length - at), stream.Room().Length);
                    bytes.AsSpan(at, count).CopyTo(stream.Room().Span);
                    stream.Filled(count);
                    at += count;
                    hasPreamble = hasPreamble || (stream.TryTakePreamble(out var preamble, out _) && preamble.Sender == "node");
                    while (hasPreamble && stream.TryTake(out var frame, out _) == FrameStatus.Read)
                    {
                        read.Add(frame); // compared at the end: what arrives later must not change it
                    }
                }

                return read.Count == sent.Count && sent.Zip(read).All(pair => pair.First.IsSameAs(pair.Second));
            }));

    [Test]
    public void A_frame_above_the_limit_ends_the_stream_before_it_is_kept()
    {
        var stream = new FrameStream(1000);
        BitConverter.TryWriteBytes(stream.Room().Span, int.MaxValue);
        stream.Filled(4);

        Assert.That(stream.TryTake(out _, out var fault), Is.EqualTo(FrameStatus.Broken));
        Assert.That(fault, Is.EqualTo(FrameFault.WrongLength));
        Assert.That(stream.Room().Length, Is.LessThan(100_000));
    }

    [Test]
    public void A_stream_of_another_protocol_is_refused_with_its_first_byte()
    {
        var stream = new FrameStream(1000);
        "GET"u8.CopyTo(stream.Room().Span);
        stream.Filled(3);

        Assert.That(stream.TryTakePreamble(out _, out var fault), Is.True);
        Assert.That(fault, Is.EqualTo(FrameFault.ForeignPacket));
    }
}
