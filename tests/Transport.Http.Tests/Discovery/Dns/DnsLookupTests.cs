using System.Net;
using System.Text;
using DnsClient;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The lookups, asked of servers that behave in every way that servers do.</summary>
[CancelAfter(30_000)]
public sealed class DnsLookupTests
{
    private const string Name = "weather.internal.";
    private static readonly TimeSpan s_resolutionDelay = TimeSpan.FromMilliseconds(50);

    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task Both_families_are_asked_side_by_side_and_their_addresses_joined()
    {
        var both = new TaskCompletionSource();
        var asked = 0;
        await using var server = ScriptedDnsServer.Start(async query =>
        {
            if (Interlocked.Increment(ref asked) == 2)
            {
                both.TrySetResult();
            }

            await both.Task;
            return
            [
                query.Type == QueryType.A
                    ? query.Answer().A("weather.internal", "10.0.0.1", ttl: 30).ToArray()
                    : query.Answer().Aaaa("weather.internal", "fd00::1", ttl: 20).ToArray(),
            ];
        });
        var answer = await Lookup(server).FindAddressesAsync(Name, Token);
        Assert.That(answer.Records.Select(r => $"{r}"), Is.EquivalentTo(["10.0.0.1", "fd00::1"]));
        Assert.That((answer.TimeToLive, answer.Late), Is.EqualTo((TimeSpan.FromSeconds(20), (Task?)null)));
    }

    [TestCase(QueryType.A, "10.0.0.1")]
    [TestCase(QueryType.AAAA, "fd00::1")]
    public async Task A_silent_family_is_waited_for_50_ms_when_the_other_has_addresses(QueryType answered, string expected)
    {
        var manual = new FakeTimeProvider();
        var clock = new WaitingClock(manual);
        await using var server = ScriptedDnsServer.Start(query => query.Type == answered ? [Address(query, 60)] : []);
        var finding = Lookup(clock, [server.EndPoint]).FindAddressesAsync(Name, Token);
        await clock.WaitsAsync(s_resolutionDelay);
        manual.Advance(TimeSpan.FromMilliseconds(49));
        Assert.That(finding.IsCompleted, Is.False);
        manual.Advance(TimeSpan.FromMilliseconds(1));
        var answer = await finding;
        Assert.That(answer.Records.Single(), Is.EqualTo(IPAddress.Parse(expected)));
        Assert.That((answer.TimeToLive, answer.Late!.IsCompleted), Is.EqualTo((TimeSpan.FromSeconds(60), false)));
    }

    [Test]
    public async Task A_family_that_is_late_is_the_rest_of_the_answer()
    {
        var release = new TaskCompletionSource();
        await using var server = ScriptedDnsServer.Start(async query =>
        {
            await (query.Type == QueryType.AAAA ? release.Task : Task.CompletedTask);
            return [Address(query, query.Type == QueryType.AAAA ? 7 : 60)];
        });
        var answer = await Lookup(server).FindAddressesAsync(Name, Token);
        release.SetResult();
        var rest = await answer.Late!;
        Assert.That((rest.Records.Single(), rest.TimeToLive), Is.EqualTo((IPAddress.Parse("fd00::1"), TimeSpan.FromSeconds(7))));
    }

    [Test]
    public async Task The_token_of_a_lookup_ends_what_is_late()
    {
        await using var server = ScriptedDnsServer.Start(query => query.Type == QueryType.A ? [Address(query, 60)] : []);
        using var leave = new CancellationTokenSource();
        var answer = await Lookup(server).FindAddressesAsync(Name, leave.Token);
        await leave.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => answer.Late!);
    }

    [Test]
    public async Task A_family_that_fails_leaves_the_other_and_is_told()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Type == QueryType.A ? query.Answer(code: 2).ToArray() : Address(query, 60)]);
        var answer = await Lookup(server).FindAddressesAsync(Name, Token);
        Assert.That(answer.Records.Single(), Is.EqualTo(IPAddress.Parse("fd00::1")));
        await Assert.ThrowsAsync<DnsLookupException>(() => answer.Late!);
    }

    [Test]
    public async Task A_family_without_addresses_says_nothing_about_how_long_the_other_holds()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Type == QueryType.A ? Address(query, 60) : query.Answer().Soa("internal", 5, 5).ToArray()]);
        var answer = await Lookup(server).FindAddressesAsync(Name, Token);
        Assert.That((answer.Records.Length, answer.TimeToLive), Is.EqualTo((1, TimeSpan.FromSeconds(60))));
    }

    [Test]
    public async Task A_failed_family_and_an_empty_one_are_a_failure()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Type == QueryType.A ? query.Answer(code: 2).ToArray() : query.Answer().Soa("internal", 60, 60).ToArray()]);
        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => Lookup(server).FindAddressesAsync(Name, Token));
        Assert.That(failure!.Message, Does.Contain("A weather.internal"));
    }

    [Test]
    public async Task A_silent_family_does_not_hold_back_that_a_name_does_not_exist()
    {
        using var conf = new TemporaryFile("search a b");
        await using var server = ScriptedDnsServer.Start(query => query.Type == QueryType.AAAA ? []
            : query.Name == "weather.b" ? [query.Answer().A("weather.b", "10.0.0.1").ToArray()]
            : [query.Answer(code: 3).ToArray()]);
        var manual = new FakeTimeProvider();
        var clock = new WaitingClock(manual);
        var finding = Lookup(clock, [server.EndPoint], conf.Path).FindAddressesAsync("weather", Token);
        for (var candidate = 0; candidate < 2; candidate++)
        {
            await clock.WaitsAsync(s_resolutionDelay);
            manual.Advance(s_resolutionDelay);
        }

        Assert.That((await finding).Records.Single(), Is.EqualTo(IPAddress.Parse("10.0.0.1")));
    }

    [Test]
    public async Task With_no_aaaa_only_IPv4_addresses_are_asked_for()
    {
        using var conf = new TemporaryFile("options no-aaaa");
        await using var server = ScriptedDnsServer.Start(query => [Address(query, 60)]);
        var answer = await Lookup(TimeProvider.System, [server.EndPoint], conf.Path).FindAddressesAsync(Name, Token);
        Assert.That(answer.Records.Single(), Is.EqualTo(IPAddress.Parse("10.0.0.1")));
        Assert.That(server.Queries.Select(q => q.Type), Is.EqualTo([QueryType.A]));
    }

    [TestCase(3)]
    [TestCase(0)]
    public async Task Absence_holds_for_the_lesser_of_the_two_times_of_the_zone(int code)
    {
        var ttl = 60;
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Answer(code).Soa("internal", Volatile.Read(ref ttl), minimum: 20).ToArray()]);
        var answer = await Lookup(server).FindTextsAsync(Name, Token);
        Assert.That((answer.Records.Length, answer.TimeToLive), Is.EqualTo((0, TimeSpan.FromSeconds(20))));
        Volatile.Write(ref ttl, 7);
        Assert.That((await Lookup(server).FindAddressesAsync(Name, Token)).TimeToLive, Is.EqualTo(TimeSpan.FromSeconds(7)));
    }

    [Test]
    public async Task Aliases_are_followed_in_any_order_and_the_shortest_time_to_live_counts()
    {
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Answer().Txt("C.internal", "found").Cname("b.internal", "c.internal", ttl: 7)
                .Cname("WEATHER.internal", "b.internal", ttl: 30).Txt("other.internal", "other").ToArray(),
        ]);
        var answer = await Lookup(server).FindTextsAsync(Name, Token);
        Assert.That((answer.Records.Single(), answer.TimeToLive), Is.EqualTo(("found", TimeSpan.FromSeconds(7))));
    }

    [Test]
    public async Task Aliases_that_the_server_did_not_follow_are_asked_for()
    {
        await using var server = ScriptedDnsServer.Start(query => query.Name == "weather.internal"
            ? [query.Answer().Cname("weather.internal", "b.internal", ttl: 9).ToArray()]
            : [query.Answer().Txt("b.internal", "found").ToArray()]);
        var answer = await Lookup(server).FindTextsAsync(Name, Token);
        Assert.That((answer.Records.Single(), answer.TimeToLive), Is.EqualTo(("found", TimeSpan.FromSeconds(9))));
        Assert.That(server.Queries.Select(q => q.Name), Is.EqualTo(["weather.internal", "b.internal"]));
    }

    [Test]
    public async Task An_alias_of_a_name_that_does_not_exist_is_an_empty_answer()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Answer(code: 3).Cname("weather.internal", "b.internal", ttl: 9).Soa("internal", 60, 60).ToArray()]);
        var answer = await Lookup(server).FindTextsAsync(Name, Token);
        Assert.That((answer.Records.Length, answer.TimeToLive), Is.EqualTo((0, TimeSpan.FromSeconds(9))));
    }

    [TestCase(".")]
    [TestCase("a..b")]
    public async Task An_alias_to_what_is_not_a_DNS_name_is_a_failure_and_not_absence(string label)
    {
        using var conf = new TemporaryFile("search internal");
        await using var server = ScriptedDnsServer.Start(query => query.Name == "weather.internal"
            ? [query.Answer().Record(
                query.Name, QueryType.CNAME, 60, w => w.Raw([(byte)label.Length, .. Encoding.ASCII.GetBytes(label), 0])).ToArray()]
            : [query.Answer(code: 3).ToArray()]);
        var lookup = Lookup(TimeProvider.System, [server.EndPoint], conf.Path);
        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => lookup.FindTextsAsync("weather", Token));
        Assert.That(failure!.Message, Does.Contain("leads to what is not a DNS name"));
    }

    [TestCase(16, true)]
    [TestCase(17, false)]
    public async Task Sixteen_aliases_are_followed_and_no_more(int aliases, bool found)
    {
        await using var server = ScriptedDnsServer.Start(query =>
        {
            var answer = query.Answer();
            for (var i = 0; i < aliases; i++)
            {
                answer.Cname(i == 0 ? "weather.internal" : $"a{i}", $"a{i + 1}");
            }

            return [answer.Txt($"a{aliases}", "end").ToArray()];
        });
        var asking = Lookup(server).FindTextsAsync(Name, Token);
        if (found)
        {
            Assert.That((await asking).Records, Has.Length.EqualTo(1));
        }
        else
        {
            Assert.That((await Assert.ThrowsAsync<DnsLookupException>(() => asking))!.Message, Does.Contain("more than 16 aliases"));
        }
    }

    [Test]
    public async Task Aliases_in_a_circle_are_noticed_within_one_answer_and_over_several()
    {
        await using var one = ScriptedDnsServer.Start(query =>
            [query.Answer().Cname("weather.internal", "b.internal").Cname("b.internal", "weather.internal").ToArray()]);
        await using var several = ScriptedDnsServer.Start(query =>
            [query.Answer().Cname(query.Name, query.Name == "b.internal" ? "weather.internal" : "b.internal").ToArray()]);
        foreach (var server in new[] { one, several })
        {
            var failure = await Assert.ThrowsAsync<DnsLookupException>(() => Lookup(server).FindTextsAsync(Name, Token));
            Assert.That(failure!.Message, Does.Contain("in a circle"));
        }
    }

    [Test]
    public async Task Addresses_that_come_along_with_a_service_are_matched_by_name()
    {
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Answer().Srv("weather.internal", 1, 2, 5080, "a.internal").Srv("weather.internal", 1, 2, 5081, "b.internal")
                .Additional(w => w.A("A.internal", "10.0.0.1", ttl: 8).A("other", "10.0.0.9", ttl: 1)).ToArray(),
        ]);
        var answer = await Lookup(server).FindServicesAsync(Name, Token);
        Assert.That(
            answer.Records.Select(r => (r.Target, r.Port, r.Priority, r.Weight)),
            Is.EqualTo([("a.internal", 5080, 1, 2), ("b.internal", 5081, 1, 2)]));
        Assert.That(answer.Records[0].Addresses.Single(), Is.EqualTo(IPAddress.Parse("10.0.0.1")));
        Assert.That(answer.Records[1].Addresses, Is.Empty);
        Assert.That(answer.TimeToLive, Is.EqualTo(TimeSpan.FromSeconds(8)), "of what is used");
    }

    [Test]
    public async Task A_short_name_is_looked_for_in_each_domain_until_one_has_it()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Name == "weather.b" ? query.Answer().Txt("weather.b", "found").ToArray() : query.Answer(code: 3).ToArray()]);
        using var conf = new TemporaryFile("search a b c");
        var answer = await Lookup(TimeProvider.System, [server.EndPoint], conf.Path).FindTextsAsync("weather", Token);
        Assert.That(answer.Records, Has.Length.EqualTo(1));
        Assert.That(server.Queries.Select(q => q.Name), Is.EqualTo(["weather.a", "weather.b"]));
    }

    [Test]
    public async Task The_search_list_is_read_again_when_the_file_changes()
    {
        await using var server = ScriptedDnsServer.Start(query => [query.Answer().Txt(query.Name, query.Name).ToArray()]);
        using var conf = new TemporaryFile("search a");
        var lookup = Lookup(TimeProvider.System, [server.EndPoint], conf.Path);
        Assert.That((await lookup.FindTextsAsync("weather", Token)).Records.Single(), Is.EqualTo("weather.a"));
        await File.WriteAllTextAsync(conf.Path, "search other", Token);
        Assert.That((await lookup.FindTextsAsync("weather", Token)).Records.Single(), Is.EqualTo("weather.other"));
    }

    [Test]
    public async Task A_domain_that_fails_makes_it_uncertain_that_there_is_none()
    {
        await using var server = ScriptedDnsServer.Start(query => [query.Answer(code: query.Name == "weather.a" ? 2 : 3).ToArray()]);
        using var conf = new TemporaryFile("search a b");
        var lookup = Lookup(TimeProvider.System, [server.EndPoint], conf.Path);
        await Assert.ThrowsAsync<DnsLookupException>(() => lookup.FindTextsAsync("weather", Token));
    }

    [Test]
    public async Task A_domain_that_makes_the_name_too_long_is_passed_over()
    {
        await using var server = ScriptedDnsServer.Start(query => [query.Answer().Txt(query.Name, "found").ToArray()]);
        using var conf = new TemporaryFile($"search {string.Join('.', Enumerable.Repeat("abcdefghi", 25))} b");
        var answer = await Lookup(TimeProvider.System, [server.EndPoint], conf.Path).FindTextsAsync("weather", Token);
        Assert.That((answer.Records.Single(), server.Queries.Single().Name), Is.EqualTo(("found", "weather.b")));
    }

    [TestCase("10.1.2.3", "10.1.2.3")]
    [TestCase("fd00::1", "fd00::1")]
    [TestCase("localhost", "127.0.0.1")]
    [TestCase("LOCALHOST.", "127.0.0.1")]
    [TestCase("weather.localhost", "127.0.0.1")]
    public async Task Addresses_and_the_local_host_are_not_asked_for(string name, string expected)
    {
        await using var server = ScriptedDnsServer.Start(_ => []);
        var answer = await Lookup(server).FindAddressesAsync(name, Token);
        Assert.That(answer.Records.Single(), Is.EqualTo(IPAddress.Parse(expected)));
        Assert.That(server.Queries, Is.Empty);
    }

    [Test]
    public async Task An_international_name_is_asked_for_in_ASCII()
    {
        await using var server = ScriptedDnsServer.Start(query => [Address(query, 60)]);
        var answer = await Lookup(server).FindAddressesAsync("müller.internal.", Token);
        Assert.That(answer.Records, Has.Length.EqualTo(2));
        Assert.That(server.Queries.Select(q => q.Name).Distinct(), Is.EqualTo(["xn--mller-kva.internal"]));
    }

    [Test]
    public async Task International_targets_and_aliases_stay_in_ASCII()
    {
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Answer().Cname("weather.internal", "xn--mller-kva.internal")
                .Srv("XN--MLLER-KVA.internal", 1, 2, 5080, "xn--grn-hoa.internal")
                .Additional(w => w.A("xn--grn-hoa.internal", "10.0.0.1")).ToArray(),
        ]);
        var service = (await Lookup(server).FindServicesAsync(Name, Token)).Records.Single();
        Assert.That((service.Target, service.Addresses.Single()), Is.EqualTo(("xn--grn-hoa.internal", IPAddress.Parse("10.0.0.1"))));
    }

    [TestCase("a..b")]
    [TestCase(".a")]
    [TestCase("a..")]
    [TestCase("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd.internal")]
    public async Task What_is_not_a_DNS_name_is_not_asked_for(string name)
    {
        await using var server = ScriptedDnsServer.Start(query => [Address(query, 60)]);
        await Assert.ThrowsAsync<ArgumentException>(() => Lookup(server).FindAddressesAsync(name, Token));
        Assert.That(server.Queries, Is.Empty);
    }

    internal static byte[] Address(ScriptedDnsServer.Query query, int ttl) => query.Type == QueryType.A
        ? query.Answer().A(query.Name, "10.0.0.1", ttl).ToArray()
        : query.Answer().Aaaa(query.Name, "fd00::1", ttl).ToArray();

    private static DnsLookup Lookup(ScriptedDnsServer server) => Lookup(TimeProvider.System, [server.EndPoint]);

    internal static DnsLookup Lookup(TimeProvider clock, IPEndPoint[] servers, string conf = "none") =>
        new(new(conf, [.. servers]), new DnsServers(DnsServers.MakeClient(), clock), clock);
}
