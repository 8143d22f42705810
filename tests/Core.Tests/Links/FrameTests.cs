using System.Diagnostics;
using System.Text;
using FsCheck.Fluent;
using FsCheck;
using NUnit.Framework;
using ServiceMesh.Links;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>The format of frames: a written frame is read back unchanged, and no input can do harm.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FrameTests
{
    private const int MaxFrame = 1 << 20;

    private readonly TextPool _texts = new();

    [Test]
    public void A_frame_is_read_back_as_it_was_written() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(5_000), Prop.ForAll(FrameGenerators.Any.ToArbitrary(), sent =>
        {
            var bytes = sent.Bytes();
            var status = FrameReader.Read(bytes, MaxFrame, _texts, out var frame, out var consumed, out var fault);
            return status == FrameStatus.Read && fault == FrameFault.None && consumed == bytes.Length && sent.IsSameAs(frame);
        }));

    [TestCase("application/json", 1)]
    [TestCase("application/msgpack", 2)]
    [TestCase("", 3)]
    public void A_content_type_has_its_mark_before_the_body(string contentType, int mark)
    {
        using var buffer = new FrameBuffer();
        FrameWriter.Reply(buffer, 1, new() { Status = StatusCode.Ok, ContentType = contentType, Body = new byte[] { 7 } }, 0);

        Assert.That(buffer.Written.ToArray()[^2..], Is.EqualTo((byte[])[(byte)mark, 7]));
    }

    [Test]
    public void Frames_that_follow_each_other_are_read_one_by_one() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(300), Prop.ForAll(FrameGenerators.Any.ListOf().ToArbitrary(), sent =>
        {
            ReadOnlyMemory<byte> left = sent.SelectMany(s => s.Bytes()).ToArray();
            foreach (var expected in sent)
            {
                if (FrameReader.Read(left, MaxFrame, _texts, out var frame, out var consumed, out _) != FrameStatus.Read
                    || !expected.IsSameAs(frame))
                {
                    return false;
                }

                left = left[consumed..];
            }

            return left.IsEmpty;
        }));

    [Test]
    public void A_truncated_frame_is_incomplete_at_every_length() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(500), Prop.ForAll(FrameGenerators.Any.ToArbitrary(), sent =>
        {
            var bytes = sent.Bytes();
            return Enumerable.Range(0, bytes.Length).All(length =>
                FrameReader.Read(bytes.AsMemory(0, length), MaxFrame, _texts, out _, out var consumed, out _) == FrameStatus.Incomplete
                    && consumed == 0);
        }));

    [Test]
    public void A_frame_whose_length_ends_inside_a_field_is_skipped_with_a_reason() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(500), Prop.ForAll(FrameGenerators.Any.ToArbitrary(), sent =>
        {
            var bytes = sent.Bytes();
            for (var cut = bytes.Length - 1; cut >= 7; cut--)
            {
                var shorter = bytes[..cut];
                BitConverter.TryWriteBytes(shorter, cut - 4);
                var status = FrameReader.Read(shorter, MaxFrame, _texts, out var frame, out var consumed, out var fault);
                // A body ends where its frame ends, so a shorter body is a frame as well.
                var isShorterBody = status == FrameStatus.Read && frame.Body.Length < sent.Frame.Body.Length;
                if (!isShorterBody && (status != FrameStatus.Skipped || fault == FrameFault.None || consumed != cut))
                {
                    return false;
                }
            }

            return true;
        }));

    [Test]
    public void A_length_beyond_the_limit_is_refused_before_its_bytes_arrive()
    {
        byte[] bytes = [0xFF, 0xFF, 0xFF, 0x7F, 1, 0, 1];

        var status = FrameReader.Read(bytes, MaxFrame, _texts, out _, out _, out var fault);

        Assert.That((status, fault), Is.EqualTo((FrameStatus.Broken, FrameFault.WrongLength)));
    }

    [TestCase(8)]
    [TestCase(9)]
    public void A_reserved_kind_is_skipped_and_named(int kind) =>
        Assert.That(FaultOf([3, 0, 0, 0, (byte)kind, 0, 1]), Is.EqualTo(FrameFault.ReservedKind));

    [TestCase(0)]
    [TestCase(12)]
    [TestCase(255)]
    public void An_unknown_kind_is_skipped_and_named(int kind) =>
        Assert.That(FaultOf([3, 0, 0, 0, (byte)kind, 0, 1]), Is.EqualTo(FrameFault.UnknownKind));

    [Test]
    public void An_unknown_flag_is_refused() =>
        Assert.That(FaultOf([3, 0, 0, 0, (byte)FrameKind.Cancel, 0x80, 1]), Is.EqualTo(FrameFault.UnknownFlag));

    [Test]
    public void A_number_has_only_one_valid_encoding() =>
        Assert.That(FaultOf([4, 0, 0, 0, (byte)FrameKind.Cancel, 0, 0x81, 0x00]), Is.EqualTo(FrameFault.MalformedNumber));

    [Test]
    public void Bytes_after_the_last_field_are_refused() =>
        Assert.That(FaultOf([4, 0, 0, 0, (byte)FrameKind.Cancel, 0, 1, 0]), Is.EqualTo(FrameFault.TrailingBytes));

    [Test]
    public void A_preamble_carries_the_sender_and_the_version()
    {
        var bytes = FrameWriter.Preamble("node-1");

        var fault = FrameReader.ReadPreamble(bytes, _texts, out var preamble);

        Assert.That((fault, preamble), Is.EqualTo((FrameFault.None, new Preamble("node-1", 1, false, bytes.Length))));
    }

    [Test]
    public void The_sender_of_a_preamble_of_another_version_is_known()
    {
        var bytes = FrameWriter.Preamble("node-1", refusesVersion: true);
        bytes[1] = 7;

        var fault = FrameReader.ReadPreamble(bytes, _texts, out var preamble);

        Assert.That((fault, preamble), Is.EqualTo((FrameFault.OtherVersion, new Preamble("node-1", 7, true, bytes.Length))));
    }

    [TestCase("")]
    [TestCase("a b")]
    [TestCase("a\nb")]
    [TestCase("a.b")]
    [TestCase("ü")]
    public void A_sender_that_is_not_a_node_id_is_refused(string sender)
    {
        var name = Encoding.UTF8.GetBytes(sender);

        var fault = FrameReader.ReadPreamble([0xB5, 1, 0, (byte)name.Length, .. name], _texts, out _);

        Assert.That(fault, Is.EqualTo(FrameFault.MalformedSender));
    }

    [Test]
    public void Random_and_damaged_inputs_give_a_frame_or_a_reason_and_take_little_memory()
    {
        var inputs = TestLength.Of(1_000_000, 10_000_000);
        var clock = Stopwatch.StartNew();
        var (read, refused) = (0L, 0L);
        Parallel.For(0, Environment.ProcessorCount, worker =>
        {
            var random = new Random(worker);
            var texts = new TextPool();
            var samples = FrameGenerators.Any.Sample(40, 200).Select(sent => sent.Bytes()).ToArray();
            var (mine, bad) = (0L, 0L);
            for (var i = worker; i < inputs; i += Environment.ProcessorCount)
            {
                var input = Damage(samples[random.Next(samples.Length)], random);
                var (frames, refusals, taken) = ReadAll(input, texts);
                mine += frames;
                bad += refusals;

                // The runtime's own work on this thread counts too, now and then: the least of a few attempts is the reader's. A header
                // of one letter is four bytes on the wire, and here two strings, their entries in the pool and a pair.
                for (var attempt = 0; attempt < 5 && taken > 4096 + (100 * input.Length); attempt++)
                {
                    taken = Math.Min(taken, ReadAll(input, new()).Taken);
                }

                if (taken > 4096 + (100 * input.Length))
                {
                    Assert.Fail($"{Convert.ToHexString(input)} took {taken} bytes.");
                }
            }

            Interlocked.Add(ref read, mine);
            Interlocked.Add(ref refused, bad);
        });

        TestContext.Out.WriteLine($"{inputs} inputs in {clock.Elapsed.TotalSeconds:0.0} s: {read} frames, {refused} refusals.");
        Assert.That(Math.Min(read, refused), Is.GreaterThan(inputs / 100), "valid and refused inputs are both common enough");
    }

    private static (long Frames, long Refusals, long Taken) ReadAll(byte[] input, TextPool texts)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        FrameReader.ReadPreamble(input, texts, out _);
        var (frames, refusals) = (0L, 0L);
        ReadOnlyMemory<byte> left = input;
        FrameStatus status;
        do
        {
            status = FrameReader.Read(left, MaxFrame, texts, out _, out var consumed, out var fault);
            if ((status == FrameStatus.Read) != (fault == FrameFault.None && status != FrameStatus.Incomplete)
                || consumed < 0
                || consumed > left.Length)
            {
                Assert.Fail($"{Convert.ToHexString(input)}: {status}, {fault}, {consumed}");
            }

            frames += status == FrameStatus.Read ? 1 : 0;
            refusals += status is FrameStatus.Skipped or FrameStatus.Broken ? 1 : 0;
            left = left[consumed..];
        }
        while (status is FrameStatus.Read or FrameStatus.Skipped);

        return (frames, refusals, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private FrameFault FaultOf(byte[] bytes)
    {
        var status = FrameReader.Read(bytes, MaxFrame, _texts, out _, out var consumed, out var fault);
        Assert.That((status, consumed), Is.EqualTo((FrameStatus.Skipped, bytes.Length)));
        return fault;
    }

    private static byte[] Damage(byte[] sample, Random random)
    {
        if (random.Next(8) == 0)
        {
            var noise = new byte[random.Next(64)];
            random.NextBytes(noise);
            return noise;
        }

        var bytes = sample.ToArray();
        for (var changes = random.Next(1, 5); changes > 0 && bytes.Length > 0; changes--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes = bytes[..at];
                    break;
                default:
                    bytes = [.. bytes[..at], .. sample[..random.Next(sample.Length)], .. bytes[at..]];
                    break;
            }
        }

        // Half of the inputs have a length that fits, so that the reader reaches the fields.
        if (bytes.Length > 7 && random.Next(2) == 0)
        {
            BitConverter.TryWriteBytes(bytes, bytes.Length - 4);
        }

        return bytes;
    }

    [Test]
    public void A_refusal_with_the_status_of_a_success_is_skipped()
    {
        byte[] refusal = [6, 0, 0, 0, (byte)FrameKind.Refusal, 0, 1, 200, 1, 0];

        Assert.That(FaultOf(refusal), Is.EqualTo(FrameFault.MalformedNumber));
    }
}
