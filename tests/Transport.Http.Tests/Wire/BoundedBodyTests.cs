using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class BoundedBodyTests
{
    [TestCase(0, 10, true)]
    [TestCase(10, 10, true)]
    [TestCase(11, 10, false)]
    [TestCase(200_000, 200_000, true)]
    [TestCase(200_001, 200_000, false)]
    public async Task A_body_is_read_whole_or_refused(int length, int limit, bool isRead)
    {
        byte[] body = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
        foreach (var announced in (long?[])[length, null])
        {
            var read = await BoundedBody.ReadAsync(new Trickle(body), announced, limit, CancellationToken.None);
            Assert.That(read, isRead ? Is.EqualTo(body) : Is.Null, $"announced: {announced}");
        }
    }

    [Test]
    public async Task A_body_that_announces_too_much_is_refused_before_it_is_read()
    {
        var stream = new Trickle(new byte[100]);

        Assert.That(await BoundedBody.ReadAsync(stream, 11, 10, CancellationToken.None), Is.Null);
        Assert.That(stream.Position, Is.Zero);
    }

    [Test]
    public async Task An_announced_body_that_does_not_arrive_takes_no_memory()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var reading = BoundedBody.ReadAsync(new Trickle([1]), int.MaxValue - 1, int.MaxValue - 1, CancellationToken.None);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1_000_000));
        Assert.That(await reading, Is.EqualTo(new byte[] { 1 }));
    }

    /// <summary>Gives a few bytes at a time.</summary>
    private sealed class Trickle(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, 999)], cancellationToken);
    }
}
