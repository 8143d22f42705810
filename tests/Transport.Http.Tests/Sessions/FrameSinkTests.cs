using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Http.Tests;

/// <summary>What is known of each write of frames: it was written, certainly not, or perhaps.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FrameSinkTests
{
    private readonly List<string> _broken = [];

    [Test]
    public async Task A_write_that_ends_is_written()
    {
        var stream = new MemoryStream();
        var sink = Make(stream);

        Assert.That((await sink.WriteAsync(new byte[3])).Result, Is.EqualTo(WriteResult.Written));
        Assert.That((stream.Length, _broken.Count), Is.EqualTo((3, 0)));
    }

    [Test]
    public async Task A_closed_sink_writes_nothing_and_says_so()
    {
        var stream = new MemoryStream();
        var sink = Make(stream);
        sink.Close("the node leaves");

        var outcome = await sink.WriteAsync(new byte[3]);

        Assert.That((outcome.Result, outcome.Reason), Is.EqualTo((WriteResult.NotWritten, "the node leaves")));
        Assert.That(stream.Length, Is.Zero);
    }

    [Test]
    public async Task A_write_that_fails_may_have_gone_out_and_breaks_the_stream()
    {
        var stream = new Scripted(new TaskCompletionSource());
        var sink = Make(stream);
        stream.Write.SetException(new IOException("reset"));

        var first = await sink.WriteAsync(new byte[3]);
        var second = await sink.WriteAsync(new byte[3]);

        Assert.That((first.Result, second.Result), Is.EqualTo((WriteResult.Unknown, WriteResult.NotWritten)));
        Assert.That(_broken.Single(), Does.Contain("reset"));
    }

    [Test]
    public async Task A_second_write_beside_one_that_was_given_up_is_not_written_and_breaks_the_stream()
    {
        var stream = new Scripted(new TaskCompletionSource());
        var sink = Make(stream);
        var first = sink.WriteAsync(new byte[3]).AsTask();

        var second = await sink.WriteAsync(new byte[3]);

        Assert.That((first.IsCompleted, second.Result), Is.EqualTo((false, WriteResult.NotWritten)));
        Assert.That(_broken.Single(), Does.Contain("not taken in time"));
        stream.Write.SetResult();
        await first;
    }

    private FrameSink Make(Stream stream) => new(stream, mustFlush: true, _broken.Add, CancellationToken.None);

    private sealed class Scripted(TaskCompletionSource write) : MemoryStream
    {
        public new TaskCompletionSource Write => write;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            new(write.Task);
    }
}
