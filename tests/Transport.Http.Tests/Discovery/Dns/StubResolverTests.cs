using System.Net;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The stub resolver and servers that behave in every way that servers do.</summary>
[CancelAfter(30_000)]
public sealed class StubResolverTests
{
    private const string Name = "weather.internal.";

    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task What_is_not_the_answer_is_ignored_and_the_answer_awaited()
    {
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Answer().Txt("weather.internal", "guessed").Id(query.Id ^ 1).ToArray(),
            [1, 2, 3],
            new PacketWriter().Id(query.Id).Flags(0x8580).Question("other.internal", DnsType.Txt).Txt("other.internal", "other").ToArray(),
            query.Answer().Txt("weather.internal", "echoed").Flags(0x0100).ToArray(),
            query.Answer().Txt("weather.internal", "right").ToArray(),
        ]);
        var answer = await Resolver(server).ResolveTextsAsync(Name, Token);
        Assert.That(answer.Records.Single().Text, Is.EqualTo("right"));
        Assert.That(server.Queries, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_truncated_answer_is_asked_for_over_tcp()
    {
        var long_ = new string('x', 255);
        await using var server = ScriptedDnsServer.Start(query => query.IsTcp
            ? [query.Answer().Txt("weather.internal", long_, long_, long_, long_, long_, long_).ToArray()]
            : [query.Answer(flags: 0x8780).Txt("weather.internal", "cut").ToArray()[..^2]]);
        var answer = await Resolver(server).ResolveTextsAsync(Name, Token);
        Assert.That(answer.Records.Single().Text, Has.Length.EqualTo(6 * 255));
        Assert.That(server.Queries.Select(q => q.IsTcp), Is.EqualTo([false, true]));
    }

    [TestCase(1)]
    [TestCase(4)]
    public async Task A_server_that_does_not_understand_edns_is_asked_without(int code)
    {
        await using var server = ScriptedDnsServer.Start(query => query.HasEdns
            ? [new PacketWriter().Id(query.Id).Flags(0x8180 | code).ToArray()]
            : [query.Answer().Txt("weather.internal", "plain").ToArray()]);
        var answer = await Resolver(server).ResolveTextsAsync(Name, Token);
        Assert.That(answer.Records.Single().Text, Is.EqualTo("plain"));
        Assert.That(server.Queries.Select(q => q.HasEdns), Is.EqualTo([true, false]));
    }

    [Test]
    public async Task A_silent_server_is_asked_again_without_edns()
    {
        var clock = new FakeTimeProvider();
        await using var server = ScriptedDnsServer.Start(query => query.HasEdns ? [] : [query.Answer().Txt("weather.internal", "plain").ToArray()]);
        var asking = Resolver(clock, server).ResolveTextsAsync(Name, Token);
        await server.NextAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.That((await asking).Records.Single().Text, Is.EqualTo("plain"));
    }

    [Test]
    public async Task Silence_ends_with_what_was_asked_of_whom_and_is_no_answer()
    {
        var clock = new FakeTimeProvider();
        await using var server = ScriptedDnsServer.Start(_ => []);
        var resolver = Resolver(clock, server);
        var asking = resolver.ResolveTextsAsync(Name, Token);
        await server.NextAsync();
        clock.Advance(TimeSpan.FromSeconds(5));
        await server.NextAsync();
        Assert.That(asking.IsCompleted, Is.False);
        clock.Advance(TimeSpan.FromSeconds(5));
        var failure = await Assert.ThrowsAsync<DnsException>(() => asking);
        Assert.That(failure!.Message, Is.EqualTo($"No DNS server could tell about TXT weather.internal: {server.EndPoint} was silent for 5 s."));
    }

    [TestCase(2, "answered ServerFailure")]
    [TestCase(5, "answered Refused")]
    public async Task A_server_that_fails_leaves_the_question_to_the_next(int code, string expected)
    {
        await using var failing = ScriptedDnsServer.Start(query => [query.Answer(code).ToArray()]);
        await using var working = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "told").ToArray()]);
        Assert.That((await Resolver(failing, working).ResolveTextsAsync(Name, Token)).Records.Single().Text, Is.EqualTo("told"));
        var failure = await Assert.ThrowsAsync<DnsException>(() => Resolver(failing).ResolveTextsAsync(Name, Token));
        Assert.That(failure!.Message, Does.Contain($"{failing.EndPoint} {expected}"));
    }

    [Test]
    public async Task A_failure_is_not_remembered_as_no_data()
    {
        var failing = true;
        await using var server = ScriptedDnsServer.Start(query => [Volatile.Read(ref failing) ? query.Answer(code: 2).ToArray() : query.Answer().Txt("weather.internal", "back").ToArray()]);
        var resolver = Resolver(server);
        await Assert.ThrowsAsync<DnsException>(() => resolver.ResolveTextsAsync(Name, Token));
        Volatile.Write(ref failing, false);
        Assert.That((await resolver.ResolveTextsAsync(Name, Token)).Records, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_server_that_only_points_to_others_has_told_nothing()
    {
        await using var lame = ScriptedDnsServer.Start(query => [query.Answer(flags: 0x8000).ToArray()]);
        await using var working = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "told").ToArray()]);
        Assert.That((await Resolver(lame, working).ResolveTextsAsync(Name, Token)).Records, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task A_dead_first_server_leaves_the_question_to_the_second_which_is_asked_first_from_then_on()
    {
        var gone = ScriptedDnsServer.Start(_ => []);
        var dead = gone.EndPoint;
        await gone.DisposeAsync();
        await using var working = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "told").ToArray()]);
        var resolver = new StubResolver(new() { Servers = [dead, working.EndPoint], ResolvConfPath = "none" });
        Assert.That((await resolver.ResolveTextsAsync(Name, Token)).Records, Has.Length.EqualTo(1));
        await using var back = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "back").ToArray()]);
        Assert.That((await resolver.ResolveTextsAsync(Name, Token)).Records.Single().Text, Is.EqualTo("told"));
    }

    [Test]
    public async Task Garbage_with_the_right_question_leaves_it_to_the_next_server()
    {
        await using var broken = ScriptedDnsServer.Start(query => [query.Answer().Put(6, 9).ToArray()]);
        await using var working = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "told").ToArray()]);
        Assert.That((await Resolver(broken, working).ResolveTextsAsync(Name, Token)).Records, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Aliases_are_followed_in_any_order_and_the_shortest_time_to_live_counts()
    {
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Answer().Txt("C.internal", "found").Cname("b.internal", "c.internal", ttl: 7).Cname("WEATHER.internal", "b.internal", ttl: 30).ToArray(),
        ]);
        var answer = await Resolver(server).ResolveTextsAsync(Name, Token);
        Assert.That((answer.Records.Single().Text, answer.TimeToLive), Is.EqualTo(("found", TimeSpan.FromSeconds(7))));
    }

    [Test]
    public async Task Aliases_that_the_server_did_not_follow_are_asked_for()
    {
        await using var server = ScriptedDnsServer.Start(query => query.Name == "weather.internal"
            ? [query.Answer().Cname("weather.internal", "b.internal").ToArray()]
            : [query.Answer().Txt("b.internal", "found").ToArray()]);
        Assert.That((await Resolver(server).ResolveTextsAsync(Name, Token)).Records.Single().Text, Is.EqualTo("found"));
        Assert.That(server.Queries.Select(q => q.Name), Is.EqualTo(["weather.internal", "b.internal"]));
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
        var asking = Resolver(server).ResolveTextsAsync(Name, Token);
        if (found)
        {
            Assert.That((await asking).Records, Has.Length.EqualTo(1));
        }
        else
        {
            Assert.That((await Assert.ThrowsAsync<DnsException>(() => asking))!.Message, Does.Contain("more than 16 aliases"));
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
            var failure = await Assert.ThrowsAsync<DnsException>(() => Resolver(server).ResolveTextsAsync(Name, Token));
            Assert.That(failure!.Message, Does.Contain("in a circle"));
        }
    }

    [TestCase(3, false)]
    [TestCase(0, true)]
    public async Task That_there_is_none_is_remembered_for_the_lesser_of_the_two_times(int code, bool nameExists)
    {
        var clock = new FakeTimeProvider();
        await using var server = ScriptedDnsServer.Start(query => [query.Answer(code).Soa("internal", ttl: 60, minimum: 20).ToArray()]);
        var resolver = Resolver(clock, server);
        var first = await resolver.ResolveTextsAsync(Name, Token);
        Assert.That((first.Records.Length, first.NameExists, first.TimeToLive), Is.EqualTo((0, nameExists, TimeSpan.FromSeconds(20))));
        clock.Advance(TimeSpan.FromSeconds(19));
        var second = await resolver.ResolveTextsAsync("WEATHER.internal.", Token);
        Assert.That((second.NameExists, second.TimeToLive), Is.EqualTo((nameExists, TimeSpan.FromSeconds(1))));
        Assert.That(server.Queries, Has.Count.EqualTo(1));
        clock.Advance(TimeSpan.FromSeconds(1));
        await resolver.ResolveTextsAsync(Name, Token);
        Assert.That(server.Queries, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Equal_questions_of_one_time_are_sent_once_and_a_caller_who_leaves_ends_it_for_nobody()
    {
        var release = new TaskCompletionSource();
        await using var server = ScriptedDnsServer.Start(async query =>
        {
            await release.Task;
            return [query.Answer().Txt("weather.internal", "told").ToArray()];
        });
        var resolver = Resolver(server);
        using var leave = new CancellationTokenSource();
        var leaver = resolver.ResolveTextsAsync(Name, leave.Token);
        var stayer = resolver.ResolveTextsAsync("Weather.Internal.", Token);
        await server.NextAsync();
        await leave.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => leaver);
        release.SetResult();
        Assert.That((await stayer).Records, Has.Length.EqualTo(1));
        Assert.That(server.Queries, Has.Count.EqualTo(1));
        await resolver.ResolveTextsAsync(Name, Token);
        Assert.That(server.Queries, Has.Count.EqualTo(2), "the next one asks again");
    }

    [Test]
    public async Task Both_families_are_asked_side_by_side_and_one_may_fail()
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
            return [query.Type == DnsType.A ? query.Answer(code: 2).ToArray() : query.Answer().Aaaa("weather.internal", "fd00::1").ToArray()];
        });
        var answer = await Resolver(server).ResolveAddressesAsync(Name, Token);
        Assert.That(answer.Records.Single().Address, Is.EqualTo(IPAddress.Parse("fd00::1")));
    }

    [Test]
    public async Task When_one_family_fails_and_the_other_has_nothing_nobody_could_tell()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Type == DnsType.A ? query.Answer(code: 2).ToArray() : query.Answer().Soa("internal", 60, 60).ToArray()]);
        Assert.That(async () => await Resolver(server).ResolveAddressesAsync(Name, Token), Throws.TypeOf<DnsException>().With.Message.Contains("A weather.internal"));
    }

    [Test]
    public async Task Addresses_that_come_along_with_a_service_are_kept()
    {
        await using var server = ScriptedDnsServer.Start(query =>
        [
            query.Answer().Srv("weather.internal", 1, 2, 5080, "a.internal").Srv("weather.internal", 1, 2, 5081, "b.internal")
                .Additional(w => w.A("A.internal", "10.0.0.1").A("other", "10.0.0.9")).ToArray(),
        ]);
        var answer = await Resolver(server).ResolveServicesAsync(Name, Token);
        Assert.That(answer.Records.Select(r => (r.Target, r.Port, r.Priority, r.Weight)), Is.EqualTo([("a.internal", 5080, 1, 2), ("b.internal", 5081, 1, 2)]));
        Assert.That(answer.Records[0].Addresses.Single().Address, Is.EqualTo(IPAddress.Parse("10.0.0.1")));
        Assert.That(answer.Records[1].Addresses, Is.Empty);
    }

    [Test]
    public async Task A_short_name_is_looked_for_in_each_domain_until_one_has_it()
    {
        await using var server = ScriptedDnsServer.Start(query =>
            [query.Name == "weather.b" ? query.Answer().Txt("weather.b", "found").ToArray() : query.Answer(code: 3).ToArray()]);
        using var conf = new TemporaryFile("search a b c");
        var resolver = new StubResolver(new() { Servers = [server.EndPoint], ResolvConfPath = conf.Path });
        Assert.That((await resolver.ResolveTextsAsync("weather", Token)).Records, Has.Length.EqualTo(1));
        Assert.That(server.Queries.Select(q => q.Name), Is.EqualTo(["weather.a", "weather.b"]));
    }

    [Test]
    public async Task While_one_domain_could_not_be_told_it_is_not_certain_that_there_is_none()
    {
        await using var server = ScriptedDnsServer.Start(query => [query.Answer(code: query.Name == "weather.a" ? 2 : 3).ToArray()]);
        using var conf = new TemporaryFile("search a b");
        var resolver = new StubResolver(new() { Servers = [server.EndPoint], ResolvConfPath = conf.Path });
        Assert.That(async () => await resolver.ResolveTextsAsync("weather", Token), Throws.TypeOf<DnsException>());
    }

    [Test]
    public async Task With_rotate_each_question_begins_with_another_server()
    {
        await using var one = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "1").ToArray()]);
        await using var two = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "2").ToArray()]);
        using var conf = new TemporaryFile("options rotate");
        var resolver = new StubResolver(new() { Servers = [one.EndPoint, two.EndPoint], ResolvConfPath = conf.Path });
        var told = "";
        for (var i = 0; i < 4; i++)
        {
            told += (await resolver.ResolveTextsAsync(Name, Token)).Records.Single().Text;
        }

        Assert.That(told, Is.EqualTo("1212"));
    }

    [Test]
    public async Task Ids_and_ports_are_hard_to_guess()
    {
        await using var server = ScriptedDnsServer.Start(query => [query.Answer().Txt("weather.internal", "x").ToArray()]);
        var resolver = Resolver(server);
        for (var i = 0; i < 40; i++)
        {
            await resolver.ResolveTextsAsync(Name, Token);
        }

        // 40 of 65536: two pairs of equal ones already are less likely than once in ten thousand runs.
        Assert.That(server.Queries.Select(q => q.Id).Distinct().Count(), Is.GreaterThanOrEqualTo(38));
        Assert.That(server.Queries.Select(q => q.FromPort).Distinct().Count(), Is.GreaterThan(20));
    }

    [TestCase("10.1.2.3", "10.1.2.3")]
    [TestCase("fd00::1", "fd00::1")]
    [TestCase("localhost", "127.0.0.1")]
    [TestCase("LOCALHOST.", "127.0.0.1")]
    public async Task Addresses_and_the_local_host_are_nothing_to_ask_for(string name, string expected)
    {
        await using var server = ScriptedDnsServer.Start(_ => []);
        var answer = await Resolver(server).ResolveAddressesAsync(name, Token);
        Assert.That(answer.Records.Single().Address, Is.EqualTo(IPAddress.Parse(expected)));
        Assert.That(server.Queries, Is.Empty);
    }

    private static StubResolver Resolver(params ScriptedDnsServer[] servers) => Resolver(TimeProvider.System, servers);

    private static StubResolver Resolver(TimeProvider clock, params ScriptedDnsServer[] servers) =>
        new(new() { Servers = [.. servers.Select(s => s.EndPoint)], ResolvConfPath = "none", Clock = clock });
}
