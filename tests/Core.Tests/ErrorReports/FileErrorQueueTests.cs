using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FileErrorQueueTests
{
    private readonly string _path = TempFile.Path();

    [Test]
    public async Task Reports_survive_a_restart_unchanged()
    {
        var report = Report(1) with
        {
            Group = "g",
            Data = "line\nbreak \"quoted\" 🌍",
            DataBytes = 9,
            Exception = "System.Exception:\r\n  at x",
        };
        using (var queue = Open())
        {
            Assert.That(await queue.AddAsync(report), Is.Zero);
        }

        using var again = Open();
        Assert.That(await again.ReadAsync(10), Is.EqualTo(new[] { report }));
    }

    [Test]
    public async Task Reading_keeps_reports_and_draining_removes_them_both_oldest_first()
    {
        using var queue = Open();
        await FillAsync(queue, 1, 5);
        Assert.That(Numbers(await queue.ReadAsync(2)), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(Numbers(await queue.DrainAsync(2)), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo(new[] { 3, 4, 5 }));
        Assert.That(await queue.CountAsync(), Is.EqualTo(3));
        Assert.That(Numbers(await queue.DrainAsync(99)), Is.EqualTo(new[] { 3, 4, 5 }));
        Assert.That(await queue.DrainAsync(1), Is.Empty);
    }

    [Test]
    public async Task Drained_reports_do_not_return_after_a_restart()
    {
        using (var queue = Open())
        {
            await FillAsync(queue, 1, 3);
            await queue.DrainAsync(2);
        }

        using var again = Open();
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo(new[] { 3 }));
    }

    [Test]
    public async Task A_full_queue_drops_the_oldest_report_and_returns_how_many_it_dropped()
    {
        using (var queue = Open(capacity: 3))
        {
            Assert.That(await queue.AddAsync(Report(1)) + await queue.AddAsync(Report(2)) + await queue.AddAsync(Report(3)), Is.Zero);
            Assert.That(await queue.AddAsync(Report(4)), Is.EqualTo(1));
            Assert.That(await queue.AddAsync(Report(5)), Is.EqualTo(1));
            Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo(new[] { 3, 4, 5 }));
            Assert.That(queue.Capacity, Is.EqualTo(3));
        }

        using var again = Open(capacity: 3);
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo(new[] { 3, 4, 5 }), "the same after a restart");
    }

    [Test]
    public async Task The_file_never_exceeds_twice_the_capacity()
    {
        using var queue = Open(capacity: 3);
        for (var i = 1; i <= 50; i++)
        {
            await queue.AddAsync(Report(i));
            Assert.That(File.ReadLines(_path).Count(), Is.InRange(Math.Min(i, 3), 6));
        }

        Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo(new[] { 48, 49, 50 }));
    }

    [Test]
    public async Task An_incomplete_line_after_a_crash_is_skipped_and_logged()
    {
        using (var queue = Open())
        {
            await FillAsync(queue, 1, 3);
        }

        var whole = await File.ReadAllTextAsync(_path);
        await File.WriteAllTextAsync(_path, whole[..^20]);
        var log = new RecordedLog();
        using (var queue = new FileErrorQueue(_path, 10, log.CreateLogger("")))
        {
            Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo(new[] { 1, 2 }));
            Assert.That(log.Has(LogLevel.Warning, "Skipped 1 unreadable lines"), Is.True);
            await queue.AddAsync(Report(4));
        }

        using var again = Open();
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo(new[] { 1, 2, 4 }), "the next report is written on a line of its own");
    }

    [TestCase("null")]
    [TestCase("{}")]
    [TestCase("[]")]
    [TestCase("\u0000\u0000")]
    public async Task Lines_that_are_not_reports_are_skipped(string line)
    {
        using (var queue = Open())
        {
            await FillAsync(queue, 1, 1);
        }

        await File.AppendAllTextAsync(_path, line + "\n\n");
        using var again = Open();
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public async Task A_file_in_use_is_refused_with_its_name_and_advice()
    {
        using (var owner = Open())
        {
            await owner.CountAsync();
            using var second = Open();
            Assert.That(
                async () => await second.AddAsync(Report(1)),
                Throws.TypeOf<IOException>().With.Message.Contains($"'{_path}' is in use").And.Message.Contains("Errors:QueueFile"));
        }

        using var third = Open();
        Assert.That(await third.CountAsync(), Is.Zero, "the file is free once its owner has closed it");
    }

    [Test]
    public async Task A_missing_folder_is_created()
    {
        using var queue = new FileErrorQueue(
            Path.Combine(Path.GetDirectoryName(_path)!, "deep", "er", "errors.jsonl"), 10, NullLogger.Instance);
        Assert.That(await queue.AddAsync(Report(1)), Is.Zero);
    }

    [Test]
    public void Reading_fewer_than_one_report_is_misuse()
    {
        using var queue = Open();
        Assert.That(() => queue.ReadAsync(0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => queue.DrainAsync(0), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_disposed_queue_throws_ObjectDisposedException()
    {
        var queue = Open();
        queue.Dispose();
        queue.Dispose();
        Assert.That(() => queue.CountAsync(), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public async Task Adding_and_draining_on_many_threads_loses_nothing()
    {
        using var queue = Open(capacity: 10_000);
        var drained = new System.Collections.Concurrent.ConcurrentBag<int>();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                await queue.AddAsync(Report(worker * 100 + i));
                if (i % 10 == 9)
                {
                    foreach (var number in Numbers(await queue.DrainAsync(5)))
                    {
                        drained.Add(number);
                    }
                }
            }
        }))).Soon();
        var left = Numbers(await queue.DrainAsync(10_000));
        Assert.That(drained.Concat(left), Is.EquivalentTo(Enumerable.Range(0, 400)));
    }

    private FileErrorQueue Open(int capacity = 10) => new(_path, capacity, NullLogger.Instance);

    private static async Task FillAsync(FileErrorQueue queue, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            await queue.AddAsync(Report(i));
        }
    }

    private static int[] Numbers(IEnumerable<ErrorReport> reports) => [.. reports.Select(r => r.DataBytes)];

    private static ErrorReport Report(int number) => new()
    {
        Topic = "a.b",
        Kind = MessageKind.Request,
        Status = 500,
        Error = "It threw.",
        MessageId = $"n.{number}",
        Sender = "n",
        Node = "n",
        Time = DateTimeOffset.UnixEpoch,
        DataBytes = number,
    };
}
