using System.Net;
using System.Runtime.CompilerServices;
using DnsClient;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>When a watch over the DNS asks, and what becomes of families that come late.</summary>
[CancelAfter(30_000)]
public sealed class DnsWatchTests
{
    private const string Host = "w.internal.";
    private const string Address = "dns://w.internal.:5080";
    private const string Srv = "dns+srv://_mesh._tcp.internal";
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Test]
    public async Task It_asks_at_once_when_no_address_answers()
    {
        var (dns, clock) = (new FakeDns().Host(Host, 60, "10.0.0.1", "10.0.0.2"), new FakeTimeProvider());
        await using var watched = Watched.Start(Address, clock, dns);
        await watched.NextAsync();
        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        clock.Advance(TimeSpan.FromSeconds(2));
        dns.Host(Host, 60, "10.0.0.3");

        watched.Group.Endpoints[0].RecordFailure();
        watched.Group.AskAgainIfNoneAnswers();
        Assert.That(dns.Asked, Is.EqualTo(1), "the other one may answer");
        watched.Group.Endpoints[1].State = EndpointState.Unreachable;
        watched.Group.AskAgainIfNoneAnswers();

        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.3:5080"]));
    }

    [Test]
    public async Task It_asks_at_most_once_a_second_while_no_address_answers()
    {
        var (dns, clock) = (new FakeDns().Host(Host, 60, "10.0.0.1"), new FakeTimeProvider());
        await using var watched = Watched.Start(Address, clock, dns);
        await watched.NextAsync();
        watched.Group.Endpoints[0].RecordFailure();
        for (var asked = 1; asked < 4; asked++)
        {
            await watched.WaitsAsync(TimeSpan.FromSeconds(60));
            for (var i = 0; i < 100; i++)
            {
                watched.Group.AskAgainIfNoneAnswers();
            }

            await watched.WaitsAsync(s_second);
            clock.Advance(TimeSpan.FromMilliseconds(999));
            Assert.That(dns.Asked, Is.EqualTo(asked));
            clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        Assert.That(dns.Asked, Is.EqualTo(4));
    }

    [Test]
    public async Task Servers_that_all_shut_down_are_a_reason_to_ask_at_once()
    {
        var (dns, clock) = (new FakeDns().Host(Host, 60, "10.0.0.1"), new FakeTimeProvider());
        await using var watched = Watched.Start(Address, clock, dns);
        await watched.NextAsync();
        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        clock.Advance(s_second);
        dns.Host(Host, 60, "10.0.0.2");
        watched.Group.Endpoints[0].State = EndpointState.Draining;
        watched.Group.AskAgainIfNoneAnswers();
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.2:5080"]));
    }

    [Test]
    public async Task A_name_that_was_never_resolved_is_asked_for_at_once_and_not_after_30_s()
    {
        var (dns, clock) = (new FakeDns(), new FakeTimeProvider());
        await using var watched = Watched.Start(Address, clock, dns);
        for (var failures = 1; failures <= 5; failures++)
        {
            var wait = TimeSpan.FromSeconds(1 << (failures - 1));
            await watched.WaitsAsync(wait);
            clock.Advance(wait);
        }

        await watched.WaitsAsync(TimeSpan.FromSeconds(30));
        clock.Advance(s_second);
        dns.Host(Host, 60, "10.0.0.1");
        watched.Group.AskAgainIfNoneAnswers();
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
    }

    [Test]
    public async Task An_empty_answer_holds_for_its_time_whoever_asks()
    {
        var (dns, clock) = (new FakeDns().Host(Host, 20), new FakeTimeProvider());
        await using var watched = Watched.Start(Address, clock, dns);
        Assert.That(await watched.NextAsync(), Is.Empty);
        await watched.WaitsAsync(TimeSpan.FromSeconds(20));
        dns.Host(Host, 60, "10.0.0.1");
        clock.Advance(TimeSpan.FromSeconds(19));
        watched.Group.AskAgainIfNoneAnswers();
        Assert.That(dns.Asked, Is.EqualTo(1));
        clock.Advance(s_second);
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
    }

    [Test]
    public async Task A_negative_answer_ends_at_its_time()
    {
        var exists = false;
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Type == QueryType.A && Volatile.Read(ref exists)
                ? query.Answer().A("w.internal", "10.0.0.1").ToArray()
                : query.Answer(code: Volatile.Read(ref exists) ? 0 : 3).Soa("internal", 5, 5).ToArray(),
        ]);
        var clock = new FakeTimeProvider();
        await using var watched = Watched.Start(Address, clock, DnsLookupTests.Lookup(TimeProvider.System, [server.EndPoint]), jitter: 1);
        Assert.That(await watched.NextAsync(), Is.Empty);
        await watched.WaitsAsync();
        Volatile.Write(ref exists, true);
        clock.Advance(TimeSpan.FromSeconds(4.5));
        await Task.Delay(100, TestContext.CurrentContext.CancellationToken); // for a lookup that comes too early, and begins the time anew
        clock.Advance(TimeSpan.FromSeconds(0.5));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
    }

    [TestCase(2)]
    [TestCase(5)]
    public async Task The_last_good_set_stays_when_the_servers_fail(int code)
    {
        var fails = false;
        await using var server = ScriptedDnsServer.Start(query =>
            [Volatile.Read(ref fails) ? query.Answer(code).ToArray() : DnsLookupTests.Address(query, 60)]);
        var clock = new FakeTimeProvider();
        await using var watched = Watched.Start(Address, clock, DnsLookupTests.Lookup(TimeProvider.System, [server.EndPoint]));
        Assert.That(await watched.NextAsync(), Has.Length.EqualTo(2));
        Volatile.Write(ref fails, true);
        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        clock.Advance(TimeSpan.FromSeconds(60));
        await watched.WaitsAsync(s_second);
        Assert.That(watched.Group.Failure, Does.Contain("No DNS server answered"));
        Assert.That(watched.Group.Endpoints, Has.Length.EqualTo(2));
        Volatile.Write(ref fails, false);
        clock.Advance(s_second);
        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        Assert.That(watched.Group.Failure, Is.Null);
    }

    [Test]
    public async Task A_late_family_joins_without_another_lookup()
    {
        var (dns, clock) = (new FakeDns(), new FakeTimeProvider());
        var late = new TaskCompletionSource<DnsAnswer<IPAddress>>();
        dns.Addresses[Host] = FakeDns.Answer(60, "10.0.0.1") with { Late = late.Task };
        await using var watched = Watched.Start(Address, clock, dns);
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        late.SetResult(FakeDns.Answer(20, "fd00::1"));
        Assert.That(await watched.NextAsync(), Is.EquivalentTo(["10.0.0.1:5080", "[fd00::1]:5080"]));
        Assert.That(dns.Asked, Is.EqualTo(1));
        await watched.WaitsAsync(TimeSpan.FromSeconds(20)); // its time to live is obeyed too
    }

    [Test]
    public async Task A_silent_target_of_several_does_not_keep_a_late_family_of_another_from_joining()
    {
        var dns = new FakeDns().Srv(60, ("a.internal", 1, 0, 1), ("b.internal", 2, 0, 1));
        var late = new TaskCompletionSource<DnsAnswer<IPAddress>>();
        var silent = new TaskCompletionSource<DnsAnswer<IPAddress>>();
        dns.Addresses["a.internal."] = FakeDns.Answer(60, "10.0.0.1") with { Late = silent.Task };
        dns.Addresses["b.internal."] = FakeDns.Answer(60, "10.0.0.2") with { Late = late.Task };
        await using var watched = Watched.Start("dns+srv://_mesh._tcp.internal", new FakeTimeProvider(), dns);
        Assert.That(await watched.NextAsync(), Is.EquivalentTo(["10.0.0.1:1", "10.0.0.2:2"]));
        late.SetResult(FakeDns.Answer(60, "fd00::2"));
        Assert.That(await watched.NextAsync(), Is.EquivalentTo(["10.0.0.1:1", "10.0.0.2:2", "[fd00::2]:2"]));
        silent.SetException(new DnsLookupException("silence"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_silent_target_is_waited_for_50_ms_when_others_have_addresses(bool along)
    {
        var (dns, clock) = (new FakeDns().Host("a.internal.", 60, "10.0.0.1"), new FakeTimeProvider());
        dns.Services = new(
            [new("a.internal", 1, 0, 1, along ? [IPAddress.Parse("10.0.0.1")] : []), new("b.internal", 2, 0, 1, [])], FakeDns.Seconds(60));
        dns.Silent["b.internal."] = new();
        await using var watched = Watched.Start(Srv, clock, dns);
        await watched.WaitsAsync(s_patience);
        clock.Advance(s_patience - TimeSpan.FromMilliseconds(1));
        Assert.That(watched.Group.WhyEmpty, Does.Contain("has not been resolved yet"));
        clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:1"]));

        // It never answers, and the others are asked for again in their time.
        await watched.WaitsAsync(FakeDns.Seconds(60));
        dns.Services = new([new("a.internal", 9, 0, 1, [IPAddress.Parse("10.0.0.9")]), dns.Services.Records[1]], FakeDns.Seconds(60));
        clock.Advance(FakeDns.Seconds(60));
        await watched.WaitsAsync(s_patience);
        clock.Advance(s_patience);
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.9:9"]));
    }

    [Test]
    public async Task A_target_that_is_late_joins_and_its_late_family_after_it()
    {
        var (dns, clock) = (new FakeDns().Host("a.internal.", 60, "10.0.0.1"), new FakeTimeProvider());
        dns.Srv(60, ("a.internal", 1, 0, 1), ("b.internal", 2, 0, 1));
        var (host, family) = (new TaskCompletionSource<DnsAnswer<IPAddress>>(), new TaskCompletionSource<DnsAnswer<IPAddress>>());
        dns.Silent["b.internal."] = host;
        await using var watched = Watched.Start(Srv, clock, dns);
        await watched.WaitsAsync(s_patience);
        clock.Advance(s_patience);
        await watched.NextAsync();
        host.SetResult(FakeDns.Answer(60, "10.0.0.2") with { Late = family.Task });
        Assert.That(await watched.NextAsync(), Is.EquivalentTo(["10.0.0.1:1", "10.0.0.2:2"]));
        family.SetResult(FakeDns.Answer(60, "fd00::2"));
        Assert.That(await watched.NextAsync(), Is.EquivalentTo(["10.0.0.1:1", "10.0.0.2:2", "[fd00::2]:2"]));
    }

    [Test]
    public async Task Silent_targets_do_not_keep_the_next_one_from_being_asked_for()
    {
        var (dns, clock) = (new FakeDns().Host("a.internal.", 60, "10.0.0.1"), new FakeTimeProvider());
        string[] silent = [.. Enumerable.Range(0, 8).Select(i => $"s{i}.internal")];
        dns.Srv(60, [.. silent.Append("a.internal").Select(target => (target, 1, 0, 1))]);
        foreach (var target in silent)
        {
            dns.Silent[$"{target}."] = new();
        }

        await using var watched = Watched.Start(Srv, clock, dns);
        for (var i = 0; i < silent.Length; i++)
        {
            await watched.WaitsAsync(TimeSpan.FromMilliseconds(500));
        }

        clock.Advance(TimeSpan.FromMilliseconds(500));
        await watched.WaitsAsync(s_patience);
        clock.Advance(s_patience);
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:1"]));
    }

    [Test]
    public async Task A_failure_beside_a_target_that_is_gone_keeps_the_last_good_set()
    {
        var (dns, clock) = (new FakeDns().Host("a.internal.", 60, "10.0.0.1"), new FakeTimeProvider());
        dns.Srv(60, ("a.internal", 1, 0, 1), ("b.internal", 2, 0, 1));
        await using var watched = Watched.Start(Srv, clock, dns);
        await watched.NextAsync();
        await watched.WaitsAsync(FakeDns.Seconds(30));
        dns.Host("a.internal.", 60);
        clock.Advance(FakeDns.Seconds(30));
        await watched.WaitsAsync();
        Assert.That(watched.Group.Failure, Does.Contain("No server answered b.internal."));
        Assert.That(watched.Group.Endpoints.Select(e => $"{e}"), Is.EqualTo(["10.0.0.1:1"]));
    }

    [Test]
    public async Task What_is_left_out_is_logged_in_one_line_and_again_when_it_changes()
    {
        using var log = new RecordedLog();
        var (dns, clock) = (new FakeDns().Txt(60, "x y", "v=spf1 -all", "10.0.0.1:1"), new FakeTimeProvider());
        await using var watched = Watched.Start("dns+txt://t.internal", clock, dns, log: log.CreateLogger(""));
        await watched.NextAsync();
        var line = log.Lines.Single();
        Assert.That(line, Does.StartWith("Records of dns+txt://t.internal that are left out: 2. One of them: 'v=spf1 -all'"));
        await NextAsync("v=spf1 -all", "x y", "10.0.0.2:1");
        Assert.That(log.Lines, Is.EqualTo([line]), "in another order");
        await NextAsync("v=spf1 -all", "10.0.0.3:1");
        Assert.That(log.Lines.Last(), Does.Contain("left out: 1."));
        Assert.That(log.Lines.Count(), Is.EqualTo(2));

        async Task NextAsync(params string[] texts)
        {
            await watched.WaitsAsync(FakeDns.Seconds(60));
            dns.Txt(60, texts);
            clock.Advance(FakeDns.Seconds(60));
            await watched.NextAsync();
        }
    }

    [Test]
    public async Task A_family_that_is_silent_keeps_its_last_known_addresses()
    {
        var (dns, clock) = (new FakeDns().Host(Host, 60, "10.0.0.1", "fd00::1"), new FakeTimeProvider());
        await using var watched = Watched.Start(Address, clock, dns);
        await watched.NextAsync();
        var silent = new TaskCompletionSource<DnsAnswer<IPAddress>>();
        dns.Addresses[Host] = FakeDns.Answer(60, "10.0.0.2") with { Late = silent.Task };
        await watched.WaitsAsync(TimeSpan.FromSeconds(60));
        clock.Advance(TimeSpan.FromSeconds(60));
        Assert.That(await watched.NextAsync(), Is.EquivalentTo(["10.0.0.2:5080", "[fd00::1]:5080"]));

        // Then it says that there are no such addresses any longer.
        silent.SetResult(FakeDns.Answer(60));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.2:5080"]));
    }

    [Test]
    public async Task The_end_of_a_watch_ends_what_is_late()
    {
        await using var server = ScriptedDnsServer.Start(query => query.Type == QueryType.A ? [DnsLookupTests.Address(query, 60)] : []);
        var watched = Watched.Start(Address, new FakeTimeProvider(), DnsLookupTests.Lookup(TimeProvider.System, [server.EndPoint]));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
        await watched.DisposeAsync(); // within the time of the test, though a family is silent
        Assert.That(watched.Group.Endpoints, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_group_says_whether_it_has_no_address_or_was_not_resolved_yet()
    {
        var first = new TaskCompletionSource();
        await using var watched = Watched.Start(new FakeTimeProvider(), new Waiting(first.Task));
        Assert.That(watched.Group.WhyEmpty, Is.EqualTo("'test://x' has not been resolved yet"));
        first.SetResult();
        await watched.NextAsync();
        Assert.That(watched.Group.WhyEmpty, Is.EqualTo("'test://x' has no address"));
    }

    private sealed class Waiting(Task first) : IResolver
    {
        public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await first.WaitAsync(cancellationToken);
            yield return ResolverResult.Found([]);
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
