using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>What each scheme finds.</summary>
[CancelAfter(30_000)]
public sealed class ResolverTests
{
    private const string Srv = "dns+srv://_mesh._tcp.internal";

    [Test]
    public async Task A_list_is_found_as_it_is_written()
    {
        ResolvedAddress[] expected = [new(
            "10.0.0.1", 5080) { Weight = 5 }, new("fd00::1", 5081) { Priority = 2, Name = "b.internal", Tls = true }, new("c", 1)];
        Assert.That(
            await FindAsync("static:10.0.0.1:5080;weight=5, [fd00::1]:5081; priority=2; name=b.internal; tls=true,c:1,"),
            Is.EqualTo(expected));
    }

    [TestCase("http://weather:5080", false)]
    [TestCase("https://weather:5080/", true)]
    public async Task One_server_is_written_as_a_url(string address, bool tls)
    {
        ResolvedAddress[] expected = [new("weather", 5080) { Tls = tls }];
        Assert.That(await FindAsync(address), Is.EqualTo(expected));
    }

    [TestCase("static:,", "it lists no server; write static:host:port,host:port.")]
    [TestCase("static:a", "'a' has no port (write a:5080)")]
    [TestCase("static:a:1;wieght=2", "'wieght=2' is nothing that an address can say")]
    [TestCase("static:a:1;weight=-1", "'weight=-1' must be a number from 0 to 65535")]
    [TestCase("static:a:1;weight=99999", "'weight=99999' must be a number from 0 to 65535")]
    [TestCase("static:a:1;name=a b", "'name=a b' is nothing that an address can say")]
    [TestCase("static:a:1;tls=maybe", "'tls=maybe' is nothing that an address can say")]
    public void A_bad_list_says_what_is_wrong(string address, string expected) =>
        Assert.That(
            () => Create(address, new FakeDns()),
            Throws.TypeOf<FormatException>().With.Message.Contains(expected).And.Message.Contains(address));

    [Test]
    public async Task Every_address_of_a_host_is_a_server_that_is_called_by_the_hosts_name()
    {
        ResolvedAddress[] expected = [new("10.0.0.1", 5080) { Name = "w.internal" }, new("fd00::1", 5080) { Name = "w.internal" }];
        Assert.That(
            await FindAsync("dns://w.internal.:5080", new FakeDns().Host("w.internal.", 60, "10.0.0.1", "fd00::1")), Is.EqualTo(expected));
    }

    [Test]
    public async Task Services_have_ports_priorities_and_weights_and_a_weight_of_zero_is_the_least()
    {
        var dns = new FakeDns().Srv(60, ("a.internal", 5080, 0, 10), ("b.internal", 5081, 3, 0))
            .Host("a.internal.", 60, "10.0.0.1", "10.0.0.2").Host("b.internal.", 60, "10.0.0.3");
        ResolvedAddress[] expected =
        [
            new("10.0.0.1", 5080) { Name = "a.internal", Weight = 10 },
            new("10.0.0.2", 5080) { Name = "a.internal", Weight = 10 },
            new("10.0.0.3", 5081) { Name = "b.internal", Weight = 1, Priority = 3 },
        ];
        Assert.That(await FindAsync(Srv, dns), Is.EqualTo(expected));
    }

    [Test]
    public async Task Addresses_that_came_along_are_not_asked_for()
    {
        var dns = new FakeDns { Services = new([new("a.internal", 5080, 0, 1, [IPAddress.Parse("10.0.0.1")])], FakeDns.Seconds(60)) };
        Assert.That((await FindAsync(Srv, dns)).Single().Host, Is.EqualTo("10.0.0.1"));
    }

    [Test]
    public async Task A_target_that_is_no_host_name_is_left_out_and_the_others_are_used()
    {
        var dns = new FakeDns().Srv(
            60, ("a b/c", 5080, 0, 1), ("a.internal", 5080, 0, 1)).Host("a b/c.", 60, "10.0.0.1").Host("a.internal.", 60, "10.0.0.2");
        Assert.That((await FindAsync(Srv, dns)).Select(a => a.Host), Is.EqualTo(["10.0.0.2"]));
    }

    [Test]
    public async Task A_weight_belongs_to_the_server_and_its_addresses_share_it()
    {
        var dns = new FakeDns().Srv(60, ("a.internal", 1, 0, 10), ("b.internal", 1, 0, 10), ("c.internal", 1, 7, 3))
            .Txt(60, "a.internal.:1;weight=2", "b.internal.:1;weight=2", "10.0.0.9:1")
            .Host("a.internal.", 60, "10.0.0.1", "10.0.0.2", "10.0.0.3").Host("b.internal.", 60, "10.0.0.4")
            .Host("c.internal.", 60, "10.0.0.5", "10.0.0.6");
        Assert.That((await FindAsync(Srv, dns)).Select(a => a.Weight), Is.EqualTo([10, 10, 10, 30, 3, 3]));
        Assert.That((await FindAsync("dns+txt://t.internal", dns)).Select(a => a.Weight), Is.EqualTo([2, 2, 2, 6, 3]));
    }

    [Test]
    public void Shares_that_are_not_whole_numbers_within_the_largest_weight_come_close()
    {
        (ResolvedAddress, ImmutableArray<IPAddress>) Server(int weight, int addresses) =>
            (new("a", 1) { Weight = weight }, [.. Enumerable.Range(1, addresses).Select(i => new IPAddress(i))]);

        int[] counts = [1, 7, 11, 13, 17, 19, 23];
        var found = WeightShares.Of(counts.Select(n => Server(65535, n)));
        foreach (var (sum, index) in counts.Select((n, i) => (found.Skip(counts[..i].Sum()).Take(n).Sum(a => (double)a.Weight), i)))
        {
            Assert.That(sum / 65535, Is.EqualTo(1).Within(0.001), $"{counts[index]} addresses");
        }

        var least = WeightShares.Of([Server(1, 3), Server(65535, 1)]);
        Assert.That(least.Select(a => a.Weight), Is.EqualTo([1, 1, 1, 65535]), "none is below 1");
        Assert.That(WeightShares.Of([Server(5, 0)]), Is.Empty);
    }

    [Test]
    public async Task The_root_as_a_target_says_that_there_is_no_such_service() =>
        Assert.That(await FindAsync(Srv, new FakeDns().Srv(60, ("", 0, 0, 0))), Is.Empty);

    [Test]
    public async Task A_target_that_cannot_be_looked_up_keeps_its_last_known_addresses()
    {
        var dns = new FakeDns().Srv(
            60, ("a.internal", 1, 0, 1), ("b.internal", 2, 0, 1)).Host("a.internal.", 60, "10.0.0.1").Host("b.internal.", 60, "10.0.0.2");
        var clock = new FakeTimeProvider();
        await using var watched = Watched.Start(Srv, clock, dns);
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:1", "10.0.0.2:2"]));
        await watched.WaitsAsync();
        dns.Addresses.Remove("b.internal.");
        dns.Host("a.internal.", 60, "10.0.0.9");
        clock.Advance(TimeSpan.FromSeconds(60));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.9:1", "10.0.0.2:2"]));
        await watched.WaitsAsync(TimeSpan.FromSeconds(30)); // sooner, for the one that failed
        Assert.That(watched.Group.Failure, Is.Null);
        dns.Addresses.Clear();
        clock.Advance(TimeSpan.FromSeconds(60));
        await watched.WaitsAsync();
        Assert.That(watched.Group.Failure, Does.Contain("No server answered"), "not one could be looked up");
        Assert.That(watched.Group.Endpoints.Select(e => $"{e}"), Is.EqualTo(["10.0.0.9:1", "10.0.0.2:2"]));
    }

    [Test]
    public async Task New_targets_that_can_be_looked_up_are_used_and_without_any_it_is_a_failure()
    {
        var dns = new FakeDns().Srv(60, ("a.internal", 1, 0, 1), ("b.internal", 2, 0, 1)).Host("a.internal.", 60, "10.0.0.1");
        Assert.That((await FindAsync(Srv, dns)).Select(a => a.Host), Is.EqualTo(["10.0.0.1"]));
        dns.Addresses.Clear();
        Assert.That((await FirstAsync(Srv, dns)).Failure, Does.StartWith($"The address '{Srv}' was not resolved. No server answered"));
    }

    [Test]
    public async Task Texts_name_servers_and_other_texts_are_left_out()
    {
        var dns = new FakeDns().Txt(
            60, "10.0.0.1:5080;weight=2", "v=spf1 -all", "w.internal., 10.0.0.3:1;tls=true", "").Host("w.internal.", 60, "10.0.0.2");
        ResolvedAddress[] expected =
        [
            new("10.0.0.1", 5080) { Weight = 2 },
            new("10.0.0.2", 5090) { Name = "w.internal" },
            new("10.0.0.3", 1) { Tls = true },
        ];
        Assert.That(await FindAsync("dns://txt:t.internal:5090", dns), Is.EqualTo(expected));
        Assert.That(
            (await FindAsync("dns+txt://t.internal", dns)).Select(a => a.Port),
            Is.EqualTo([5080, 1]),
            "without a port of its own only those that say one");
    }

    [TestCase("dns://[fd00::1]:5080")]
    [TestCase("dns+txt://t.internal")]
    public async Task An_address_that_is_no_name_is_called_by_no_name(string address)
    {
        var found = await FindAsync(address, new FakeDns().Txt(60, "[fd00::1]:5080"));
        Assert.That(found, Is.EqualTo([new ResolvedAddress("fd00::1", 5080)]));
    }

    [Test]
    public async Task A_text_can_turn_TLS_on_and_not_off()
    {
        var dns = new FakeDns().Txt(60, "10.0.0.1:1;tls=true", "10.0.0.2:1;tls=false");
        Assert.That((await FindAsync("dns+txt://t.internal", dns)).Select(a => a.Tls), Is.EqualTo(new bool?[] { true, null }));
    }

    [Test]
    public async Task Texts_of_which_none_names_a_server_are_a_failure()
    {
        var result = await FirstAsync("dns+txt://t.internal", new FakeDns().Txt(60, "v=spf1 -all"));
        Assert.That(result.Failure, Does.Contain("None of its 1 TXT records is written as host:port;weight=1."));
    }

    [TestCase("dns://w.internal:1")]
    [TestCase(Srv)]
    [TestCase("dns+txt://w.internal")]
    public async Task A_lookup_without_an_answer_is_a_failure_that_names_the_address(string address) =>
        Assert.That(
            (await FirstAsync(address, new FakeDns())).Failure,
            Does.StartWith($"The address '{address}' was not resolved. No server answered"));

    [TestCase("dns://w.internal:1", 40)]
    [TestCase(Srv, 30)]
    [TestCase("dns+txt://w.internal", 20)]
    public async Task The_shortest_time_to_live_of_all_records_counts(string address, int expected)
    {
        var dns = new FakeDns().Host(
            "w.internal", 40, "10.0.0.1").Host("w.internal.", 30, "10.0.0.1").Srv(50, ("w.internal", 1, 0, 0)).Txt(20, "w.internal:1");
        Assert.That((await FirstAsync(address, dns)).GoodFor, Is.EqualTo(TimeSpan.FromSeconds(expected)));
    }

    [Test]
    public void Times_to_live_are_clamped_and_jittered_downward()
    {
        var random = new Random(1);
        foreach (var (ttl, clamped) in new[] { (0, 5), (5, 5), (60, 60), (300, 300), (86_400, 300) })
        {
            var times = Enumerable.Range(
                0, 1000).Select(_ => RefreshTime.AfterAnswer(TimeSpan.FromSeconds(ttl), random).TotalSeconds / clamped).ToArray();
            Assert.That(times.Min(), Is.InRange(0.9, 0.91));
            Assert.That(times.Max(), Is.InRange(0.99, 1.0));
        }
    }

    [TestCase(0, 1)]
    [TestCase(3, 3)]
    [TestCase(60, 60)]
    [TestCase(86_400, 300)]
    public void Absence_holds_for_exactly_its_time(int ttl, int expected) =>
        Assert.That(RefreshTime.AfterAbsence(TimeSpan.FromSeconds(ttl)), Is.EqualTo(TimeSpan.FromSeconds(expected)));

    [TestCase("dns://w.internal:1", 7)]
    [TestCase(Srv, 7)]
    [TestCase("dns+txt://w.internal", 7)]
    public async Task A_name_that_does_not_exist_is_asked_for_again_when_that_ends(string address, int expected)
    {
        var dns = new FakeDns().Host("w.internal", 7).Host("w.internal.", 7).Srv(50, ("w.internal", 1, 0, 0)).Txt(50, "w.internal:1");
        var result = await FirstAsync(address, dns);
        Assert.That((result.Addresses.Length, result.GoodFor), Is.EqualTo((0, (TimeSpan?)TimeSpan.FromSeconds(expected))));
    }

    [TestCase("a\nb:1", 0)]
    [TestCase("a", 2000)]
    public async Task A_text_from_outside_does_not_reach_the_log_as_it_is(string text, int more)
    {
        using var log = new RecordedLog();
        var dns = new FakeDns().Txt(60, text + new string('y', more), "10.0.0.1:1");
        await foreach (var result in Create("dns+txt://t.internal", dns, log).WatchAsync(TestContext.CurrentContext.CancellationToken))
        {
            Assert.That(result.Addresses, Has.Length.EqualTo(1));
            break;
        }

        var line = log.Lines.Single(l => l.Contains("are left out", StringComparison.Ordinal));
        Assert.That(line, Has.Length.LessThan(200));
        Assert.That(line.Any(char.IsControl), Is.False);
    }

    [Test]
    public async Task A_group_has_1000_servers_at_most_and_the_log_says_so()
    {
        using var log = new RecordedLog();
        var records = Enumerable.Range(0, 1002).Select(i => $"10.0.{i / 256}.{i % 256}:1;priority={(i == 0 ? 1 : 0)}");
        var dns = new FakeDns().Txt(60, [.. records]);
        var watch = Create("dns+txt://t.internal", dns, log).WatchAsync(TestContext.CurrentContext.CancellationToken);
        await using var results = watch.GetAsyncEnumerator();
        await results.MoveNextAsync();
        Assert.That(results.Current.Addresses, Has.Length.EqualTo(1000));
        Assert.That(results.Current.Addresses.All(a => a.Priority == 0), Is.True, "the last priority is left out first");
        Assert.That(log.Lines.Single(), Does.Contain("It has 1002 servers, and the first 1000 are used."));
    }

    [Test]
    public void After_failures_it_is_tried_again_soon_and_then_more_rarely()
    {
        var waits = Enumerable.Range(
            1, 8).Select(n => Math.Ceiling(RefreshTime.AfterFailure(n, new Random(3)).TotalSeconds / 0.98)).ToArray();
        Assert.That(
            waits.Zip(waits.Skip(1)).All(p => p.First <= p.Second) && waits[0] <= 1 && waits[^1] is > 27 and <= 31,
            Is.True,
            string.Join(' ', waits));
    }

    [Test]
    public async Task A_file_is_read_and_read_again_when_it_changes()
    {
        using var file = new TemporaryFile(
            """[ { "host": "10.0.0.1", "port": 5080, "weight": 2, "priority": 1, "name": "w", "tls": true }, ] // a list""");
        ResolvedAddress[] expected = [new("10.0.0.1", 5080) { Weight = 2, Priority = 1, Name = "w", Tls = true }];
        Assert.That(await FindAsync($"file:{file.Path}"), Is.EqualTo(expected));

        var clock = new FakeTimeProvider();
        await using var watched = Watched.Start($"file://{file.Path}", clock, new FakeDns());
        await watched.NextAsync();
        await watched.WaitsAsync();
        await File.WriteAllTextAsync(file.Path, """[ { "host": "10.0.0.2", "port": 5080 } ]""");
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.2:5080"]));
    }

    // Some editors write it before the text.
    [Test]
    public async Task A_file_may_begin_with_a_byte_order_mark()
    {
        using var file = new TemporaryFile("\uFEFF" + """[ { "host": "10.0.0.1", "port": 5080, "weight": 0 } ]""");

        Assert.That(await FindAsync($"file:{file.Path}"), Is.EqualTo([new ResolvedAddress("10.0.0.1", 5080) { Weight = 0 }]));
    }

    [TestCase("[ null ]", "entry 0 is null")]
    [TestCase("[ { \"host\": \"a b\", \"port\": 1 } ]", "in entry 0 'a b' is neither an IP address nor a host name")]
    [TestCase("[ { \"host\": \"a\", \"port\": 1, \"name\": \"b/c\" } ]", "the name of 'a:1' is 'b/c', which is not a host name")]
    [TestCase("[ { \"host\": \"a\" } ]", "in entry 0 the port of 'a' is 0; a port is 1 to 65535")]
    [TestCase("[ { \"host\": \"a\", \"prot\": 1 } ]", "prot")]
    [TestCase("<html>", "invalid start of a value")]
    [TestCase("", "JSON")]
    [TestCase("null", "it is not a list")]
    public async Task A_bad_file_is_a_failure_that_says_why(string text, string expected)
    {
        using var file = new TemporaryFile(text);
        var result = await FirstAsync($"file:{file.Path}", new FakeDns());
        Assert.That(
            result.Failure,
            Does.StartWith($"The address 'file:{file.Path}' was not resolved: the file {file.Path} cannot be used:").And.Contain(expected));
    }

    [Test]
    public async Task A_file_that_is_not_there_is_a_failure() =>
        Assert.That((await FirstAsync("file:no-such-file.json", new FakeDns())).Failure, Does.Contain("Could not find file"));

    private static async Task<ImmutableArray<ResolvedAddress>> FindAsync(string address, IDnsLookup? dns = null)
    {
        var result = await FirstAsync(address, dns ?? new FakeDns());
        Assert.That(result.Failure, Is.Null);
        return result.Addresses;
    }

    private static async Task<ResolverResult> FirstAsync(string address, IDnsLookup dns)
    {
        await foreach (var result in Create(address, dns).WatchAsync(TestContext.CurrentContext.CancellationToken))
        {
            return result;
        }

        throw new InvalidOperationException("The watch ended.");
    }

    private static IResolver Create(string address, IDnsLookup dns, RecordedLog? log = null) => new ResolverKinds([]).Create(
        AddressGroup.Parse(address), new() { Dns = dns, Logger = log?.CreateLogger("") ?? NullLogger.Instance, Random = new NoJitter() });

    private sealed class NoJitter : Random
    {
        public override double NextDouble() => 0;
    }
}
