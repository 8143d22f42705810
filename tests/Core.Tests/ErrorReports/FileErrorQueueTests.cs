using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FileErrorQueueTests
{
    private static readonly TimeSpan s_lease = TimeSpan.FromMinutes(1);

    private readonly string _path = TempFile.Path();
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task Reports_survive_a_restart_unchanged()
    {
        var report = Report(1) with
        {
            Group = "g",
            Data = "line\nbreak \"quoted\" 🌍",
            DataBytes = 9,
            Exception = "System.Exception:\r\n  at x",
            TraceId = "0af7651916cd43dd8448eb211c80319c",
            SpanId = "b7ad6b7169203331",
            ContentType = "application/json",
        };
        using (var queue = Open())
        {
            Assert.That(await queue.AddAsync(report with { Headers = Headers.Of(("tenant", "blue"), ("x", "Grüße")) }), Is.Zero);
        }

        using var again = Open();
        var read = (await again.ReadAsync(10)).Single();
        Assert.That(read with { Headers = report.Headers }, Is.EqualTo(report));
        Assert.That(read.Headers, Is.EquivalentTo(Headers.Of(("tenant", "blue"), ("x", "Grüße"))));
    }

    [Test]
    public async Task Reading_keeps_reports_and_acknowledging_removes_them_both_oldest_first()
    {
        using var queue = Open();
        await FillAsync(queue, 1, 5);
        Assert.That(Numbers(await queue.ReadAsync(2)), Is.EqualTo([1, 2]));
        Assert.That(await EmptyAsync(queue, 2), Is.EqualTo([1, 2]));
        Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo([3, 4, 5]));
        Assert.That(await queue.CountAsync(), Is.EqualTo(3));
        Assert.That(await EmptyAsync(queue, 99), Is.EqualTo([3, 4, 5]));
        Assert.That(await EmptyAsync(queue, 1), Is.Empty);
    }

    [Test]
    public async Task A_taken_report_stays_and_is_given_to_no_other_taker()
    {
        using var queue = Open();
        await FillAsync(queue, 1, 3);
        var taken = await queue.TakeAsync(2, s_lease);

        Assert.That(Numbers(taken), Is.EqualTo([1, 2]));
        Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo([1, 2, 3]));
        Assert.That(await queue.TakeAsync("r1", s_lease), Is.Null);
        Assert.That(Numbers(await queue.TakeAsync(99, s_lease)), Is.EqualTo([3]));
        Assert.That(await queue.AcknowledgeAsync(taken[0]), Is.True);
        Assert.That(await queue.AcknowledgeAsync(taken[0]), Is.False, "it is gone");
        Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo([2, 3]));
    }

    [Test]
    public async Task A_released_report_is_there_again_at_once()
    {
        using var queue = Open();
        await FillAsync(queue, 1, 1);
        var taken = (await queue.TakeAsync("r1", s_lease))!;

        Assert.That(await queue.ReleaseAsync(taken), Is.True);
        Assert.That(await queue.ReleaseAsync(taken), Is.False);
        Assert.That(await queue.AcknowledgeAsync(taken), Is.False);
        Assert.That(Numbers(await queue.TakeAsync(9, s_lease)), Is.EqualTo([1]));
    }

    [Test]
    public async Task A_report_whose_taker_is_silent_is_there_again_when_its_time_is_over()
    {
        using var queue = Open();
        await FillAsync(queue, 1, 1);
        var first = (await queue.TakeAsync(1, s_lease)).Single();
        _clock.Advance(s_lease - TimeSpan.FromTicks(1));
        Assert.That(await queue.TakeAsync(1, s_lease), Is.Empty);

        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.That(await queue.AcknowledgeAsync(first), Is.False, "it is not the first taker's any longer");
        var second = (await queue.TakeAsync(1, s_lease)).Single();
        Assert.That(await queue.AcknowledgeAsync(first), Is.False);
        Assert.That(await queue.AcknowledgeAsync(second), Is.True);
    }

    [Test]
    public async Task Acknowledged_reports_do_not_return_after_a_restart_and_taken_ones_do()
    {
        using (var queue = Open())
        {
            await FillAsync(queue, 1, 4);
            await EmptyAsync(queue, 2);
            await queue.TakeAsync(1, s_lease);
        }

        using var again = Open();
        Assert.That(Numbers(await again.TakeAsync(99, s_lease)), Is.EqualTo([3, 4]));
    }

    [Test]
    public async Task A_full_queue_drops_the_oldest_report_and_returns_how_many_it_dropped()
    {
        using (var queue = Open(capacity: 3))
        {
            Assert.That(await queue.AddAsync(Report(1)) + await queue.AddAsync(Report(2)) + await queue.AddAsync(Report(3)), Is.Zero);
            Assert.That(await queue.AddAsync(Report(4)), Is.EqualTo(1));
            Assert.That(await queue.AddAsync(Report(5)), Is.EqualTo(1));
            Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo([3, 4, 5]));
            Assert.That(queue.Capacity, Is.EqualTo(3));
        }

        using var again = Open(capacity: 3);
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo([3, 4, 5]), "the same after a restart");
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

        Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo([48, 49, 50]));
        for (var i = 51; i <= 100; i++)
        {
            await queue.AddAsync(Report(i));
            await EmptyAsync(queue, 1);
            Assert.That(File.ReadLines(_path).Count(), Is.LessThanOrEqualTo(6));
        }
    }

    [Test]
    public async Task The_room_of_large_reports_is_given_back()
    {
        using var queue = Open(capacity: 1000);
        for (var i = 1; i <= 10; i++)
        {
            await queue.AddAsync(Report(i) with { Data = new string('x', 1 << 20) });
            await EmptyAsync(queue, 1);
        }

        Assert.That(new FileInfo(_path).Length, Is.LessThan(4 << 20));
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
        using (var queue = new FileErrorQueue(_path, KeyOf, 10, log.CreateLogger(""), _clock))
        {
            Assert.That(Numbers(await queue.ReadAsync(99)), Is.EqualTo([1, 2]));
            Assert.That(log.Has(LogLevel.Warning, "Skipped 1 unreadable lines"), Is.True);
            await queue.AddAsync(Report(4));
        }

        using var again = Open();
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo([1, 2, 4]), "the next report is written on a line of its own");
    }

    [TestCase("null")]
    [TestCase("{}")]
    [TestCase("[]")]
    [TestCase("\u0000\u0000")]
    [TestCase("{\"Removed\":")]
    [TestCase("{\"Removed\":\"r1")]
    [TestCase("{\"Removed\":\"other\"}")]
    public async Task Lines_that_are_not_reports_are_skipped(string line)
    {
        using (var queue = Open())
        {
            await FillAsync(queue, 1, 1);
        }

        await File.AppendAllTextAsync(_path, line + "\n\n");
        using var again = Open();
        Assert.That(Numbers(await again.ReadAsync(99)), Is.EqualTo([1]));
    }

    [Test]
    public async Task Reports_without_an_id_are_told_apart()
    {
        using (var queue = Open())
        {
            await queue.AddAsync(Report(1) with { Id = "" });
            await queue.AddAsync(Report(1) with { Id = "" });
        }

        var line = Regex.Replace((await File.ReadAllLinesAsync(_path))[0], "\"Id\":\"[^\"]*\",", "");
        await File.WriteAllLinesAsync(_path, [line, line.Replace("It threw", "It fell", StringComparison.Ordinal)]);
        using var again = Open();
        var read = await again.ReadAsync(9);
        Assert.That(read.Select(r => r.Id), Is.Unique.And.All.Not.Empty.And.Exactly(2).Items);
        Assert.That((await again.TakeAsync(read[1].Id, s_lease))!.Report.Error, Is.EqualTo("It fell."));
    }

    [Test]
    public async Task A_file_in_use_leaves_the_next_number_to_another_queue()
    {
        using var first = Open();
        using var second = Open();
        using var third = Open();
        await first.AddAsync(Report(1));
        await second.AddAsync(Report(2));
        await third.AddAsync(Report(3));

        Assert.That(Numbers(await first.ReadAsync(9)), Is.EqualTo([1]));
        Assert.That(Numbers(await second.ReadAsync(9)), Is.EqualTo([2]));
        Assert.That(Numbers(await third.ReadAsync(9)), Is.EqualTo([3]));
        Assert.That(File.Exists(Path.ChangeExtension(_path, null) + ".3" + Path.GetExtension(_path)), Is.True);
    }

    [Test]
    public async Task Reports_that_other_nodes_left_behind_are_taken_over()
    {
        using var survivor = Open();
        await survivor.AddAsync(Report(1));
        using (FileErrorQueue second = Open(), third = Open())
        {
            await second.AddAsync(Report(2));
            await third.AddAsync(Report(3));
            await third.AddAsync(Report(4));
            await EmptyAsync(third, 1);
        }

        using var restarted = Open();
        Assert.That(Numbers(await restarted.ReadAsync(9)), Is.EquivalentTo([2, 4]));
        Assert.That(Numbers(await survivor.ReadAsync(9)), Is.EqualTo([1]), "the file of a running node is left alone");
        restarted.Dispose();
        survivor.Dispose();
        using var last = Open();
        Assert.That(Numbers(await last.ReadAsync(9)), Is.EquivalentTo([1, 2, 4]));
    }

    [Test]
    public async Task Its_files_can_be_read_by_their_owner_only()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("Windows has no modes.");
            return;
        }

        await File.WriteAllTextAsync(_path, "");
        File.SetUnixFileMode(_path, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.UserWrite);
        using var queue = new FileErrorQueue(Path.Combine(_path + ".d", "errors.jsonl"), KeyOf, 2, NullLogger.Instance, _clock);
        using var older = Open(capacity: 2);
        for (var i = 0; i < 10; i++)
        {
            await queue.AddAsync(Report(i));
            await older.AddAsync(Report(i));
        }

        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.That(File.GetUnixFileMode(_path), Is.EqualTo(OwnerOnly), "a file of an earlier version gets the mode too");
        Assert.That(Directory.GetFiles(_path + ".d").Select(File.GetUnixFileMode), Has.All.EqualTo(OwnerOnly).And.Exactly(2).Items);
    }

    [Test]
    public async Task A_missing_folder_is_created()
    {
        using var queue = new FileErrorQueue(
            Path.Combine(Path.GetDirectoryName(_path)!, "deep", "er", "errors.jsonl"), KeyOf, 10, NullLogger.Instance, _clock);
        Assert.That(await queue.AddAsync(Report(1)), Is.Zero);
    }

    [Test]
    public async Task A_folder_that_cannot_be_used_is_told_with_the_key_and_left_as_it_is()
    {
        await File.WriteAllTextAsync(_path, "not a folder");
        using var queue = new FileErrorQueue(Path.Combine(_path, "errors.jsonl"), KeyOf, 10, NullLogger.Instance, _clock);

        Assert.That(
            async () => await queue.CountAsync(),
            Throws.TypeOf<IOException>().With.Message.Contains("with Mesh:Errors:QueueFile, or choose another Mesh:ErrorPolicy"));
        Assert.That(await File.ReadAllTextAsync(_path), Is.EqualTo("not a folder"));
    }

    [Test]
    public void Reading_fewer_than_one_report_is_misuse()
    {
        using var queue = Open();
        Assert.That(() => queue.ReadAsync(0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => queue.TakeAsync(0, s_lease), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => queue.TakeAsync(1, TimeSpan.Zero), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => queue.TakeAsync("r1", TimeSpan.FromDays(1.1)), Throws.TypeOf<ArgumentOutOfRangeException>());
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
    public async Task Adding_and_taking_on_many_threads_loses_nothing()
    {
        using var queue = Open(capacity: 10_000);
        var drained = new ConcurrentBag<int>();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                await queue.AddAsync(Report(worker * 100 + i));
                if (i % 10 == 9)
                {
                    foreach (var number in await EmptyAsync(queue, 5))
                    {
                        drained.Add(number);
                    }
                }
            }
        }))).Soon();
        var left = await EmptyAsync(queue, 10_000);
        Assert.That(drained.Concat(left), Is.EquivalentTo(Enumerable.Range(0, 400)));
    }

    private static string KeyOf(string key) => $"Mesh:{key}";

    private FileErrorQueue Open(int capacity = 10) => new(_path, KeyOf, capacity, NullLogger.Instance, _clock);

    private static async Task FillAsync(FileErrorQueue queue, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            await queue.AddAsync(Report(i));
        }
    }

    private static async Task<int[]> EmptyAsync(FileErrorQueue queue, int max)
    {
        var taken = await queue.TakeAsync(max, s_lease);
        foreach (var report in taken)
        {
            await queue.AcknowledgeAsync(report);
        }

        return Numbers(taken);
    }

    private static int[] Numbers(IEnumerable<ErrorReport> reports) => [.. reports.Select(r => r.DataBytes)];

    private static int[] Numbers(IEnumerable<TakenReport> reports) => Numbers(reports.Select(r => r.Report));

    private static ErrorReport Report(int number) => new()
    {
        Id = $"r{number}",
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
