using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>The queue of reports, as operators read and drain it.</summary>
public abstract class ErrorQueueTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task The_queue_is_read_and_drained_oldest_first()
    {
        var node = await StartWithFailuresAsync(5, capacity: 100);

        var read = await node.ErrorQueue.ReadAsync(2);
        var drained = await node.ErrorQueue.DrainAsync(3);
        var rest = await node.ErrorQueue.DrainAsync(100);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(Data(read), Is.EqualTo(["0", "1"]), "reading does not remove reports");
            Assert.That(Data(drained), Is.EqualTo(["0", "1", "2"]));
            Assert.That(Data(rest), Is.EqualTo(["3", "4"]));
            Assert.That(await node.ErrorQueue.CountAsync(), Is.Zero);
            Assert.That(await node.ErrorQueue.DrainAsync(1), Is.Empty);
        }
    }

    [Test]
    public async Task A_full_queue_drops_the_oldest()
    {
        var node = await StartWithFailuresAsync(5, capacity: 3);

        Assert.That(node.ErrorQueue.Capacity, Is.EqualTo(3));
        Assert.That(Data(await node.ErrorQueue.DrainAsync(100)), Is.EqualTo(["2", "3", "4"]));
    }

    [Test]
    public async Task Concurrent_drains_never_return_the_same_report()
    {
        var node = await StartWithFailuresAsync(100, capacity: 1000);

        var drained = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(async () => await node.ErrorQueue.DrainAsync(7))));

        Assert.That(Data(drained.SelectMany(d => d)), Is.EquivalentTo(Enumerable.Range(0, 100).Select(i => $"{i}")));
    }

    // The requests fail one after the other, so that the order of the reports is known.
    private async Task<MeshNode> StartWithFailuresAsync(int failures, int capacity)
    {
        var node = await StartAsync(null, ("ErrorPolicy", nameof(ErrorPolicy.Queue)), ("Errors:QueueCapacity", $"{capacity}"));
        for (var i = 0; i < failures; i++)
        {
            await node.Bus.TryRequestAsync(Ask, $"{i}");
        }

        await Failsafe.UntilAsync(async () => (await node.ErrorQueue.ReadAsync(1000)).Any(r => TextOf(r) == $"{failures - 1}"));
        return node;
    }

    private IEnumerable<string?> Data(IEnumerable<ErrorReport> reports) => reports.Select(TextOf);
}
