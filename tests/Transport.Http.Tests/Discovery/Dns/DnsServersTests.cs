using DnsClient;
using DnsClient.Protocol;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The order in which servers are asked, and what counts as an answer.</summary>
[CancelAfter(30_000)]
public sealed class DnsServersTests
{
    private static readonly TimeSpan s_headStart = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task Silent_servers_are_waited_for_half_a_second_before_the_next_is_asked_too()
    {
        var manual = new FakeTimeProvider();
        var clock = new WaitingClock(manual);
        await using var first = ScriptedDnsServer.Start(_ => []);
        await using var second = ScriptedDnsServer.Start(_ => []);
        await using var third = ScriptedDnsServer.Start(query => [Text(query, "third")]);
        var asking = AskAsync(new(DnsServers.MakeClient(), clock), Conf(first, second, third));
        await first.NextAsync();
        await clock.WaitsAsync(s_headStart);
        Assert.That(second.Queries, Is.Empty);
        manual.Advance(s_headStart);
        await second.NextAsync();
        await clock.WaitsAsync(s_headStart);
        Assert.That(third.Queries, Is.Empty);
        manual.Advance(s_headStart);
        Assert.That(await asking, Is.EqualTo("third"));
        Assert.That((first.Queries.Count, second.Queries.Count), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_slow_first_server_still_counts_when_the_second_is_asked()
    {
        var manual = new FakeTimeProvider();
        var clock = new WaitingClock(manual);
        var release = new TaskCompletionSource();
        await using var slow = ScriptedDnsServer.Start(async query =>
        {
            await release.Task;
            return [Text(query, "slow")];
        });
        await using var silent = ScriptedDnsServer.Start(_ => []);
        var asking = AskAsync(new(DnsServers.MakeClient(), clock), Conf(slow, silent));
        await clock.WaitsAsync(s_headStart);
        manual.Advance(s_headStart);
        await silent.NextAsync();
        release.SetResult();
        Assert.That(await asking, Is.EqualTo("slow"));
    }

    [Test]
    public async Task The_server_that_answered_last_is_asked_first()
    {
        var fails = true;
        await using var first = ScriptedDnsServer.Start(query =>
            [Volatile.Read(ref fails) ? query.Answer(code: 2).ToArray() : Text(query, "first")]);
        await using var second = ScriptedDnsServer.Start(query => [Text(query, "second")]);
        var servers = new DnsServers(DnsServers.MakeClient(), TimeProvider.System);
        Assert.That(await AskAsync(servers, Conf(first, second)), Is.EqualTo("second"));
        Volatile.Write(ref fails, false);
        Assert.That(await AskAsync(servers, Conf(first, second)), Is.EqualTo("second"));
        Assert.That(first.Queries, Has.Count.EqualTo(1));
        Assert.That(await AskAsync(servers, Conf(first)), Is.EqualTo("first"), "one that is not configured any longer is not asked");
    }

    [Test]
    public async Task With_rotate_each_question_begins_with_another_server()
    {
        await using var one = ScriptedDnsServer.Start(query => [Text(query, "1")]);
        await using var two = ScriptedDnsServer.Start(query => [Text(query, "2")]);
        var servers = new DnsServers(DnsServers.MakeClient(), TimeProvider.System);
        var told = "";
        for (var i = 0; i < 4; i++)
        {
            told += await AskAsync(servers, Conf(one, two) with { Rotate = true });
        }

        Assert.That(told, Is.EqualTo("1212"));
    }

    [Test]
    public async Task Silence_ends_with_the_question_and_what_each_server_did()
    {
        var manual = new FakeTimeProvider();
        var clock = new WaitingClock(manual);
        await using var server = ScriptedDnsServer.Start(_ => []);
        await using var failing = ScriptedDnsServer.Start(query => [query.Answer(code: 2).ToArray()]);
        var asking = AskAsync(new(DnsServers.MakeClient(), clock), Conf(failing, server));
        for (var round = 0; round < 2; round++)
        {
            await server.NextAsync();
            Assert.That(asking.IsCompleted, Is.False);
            manual.Advance(s_timeout);
        }

        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => asking);
        Assert.That(failure!.Message, Is.EqualTo(
            $"No DNS server answered TXT weather.internal.: {failing.EndPoint} answered ServerFailure; " +
            $"{server.EndPoint} did not answer within 2 s. " +
            "Check these servers, or name others in Http:Dns:Servers."));
    }

    [Test]
    public async Task A_silent_server_is_asked_again_without_EDNS()
    {
        var manual = new FakeTimeProvider();
        await using var server = ScriptedDnsServer.Start(query => query.HasEdns ? [] : [Text(query, "plain")]);
        var asking = AskAsync(new(DnsServers.MakeClient(), manual), Conf(server));
        await server.NextAsync();
        manual.Advance(s_timeout);
        Assert.That(await asking, Is.EqualTo("plain"));
    }

    [TestCase(1)]
    [TestCase(4)]
    public async Task A_server_that_does_not_understand_EDNS_is_asked_without(int code)
    {
        await using var server = ScriptedDnsServer.Start(query => query.HasEdns
            ? [new PacketWriter().Id(query.Id).Flags(0x8180 | code).ToArray()]
            : [Text(query, "plain")]);
        Assert.That(await AskAsync(server), Is.EqualTo("plain"));
        Assert.That(server.Queries.Select(q => q.HasEdns), Is.EqualTo([true, false]));
    }

    [TestCase(2, "answered ServerFailure")]
    [TestCase(5, "answered Refused")]
    public async Task A_server_that_fails_leaves_the_question_to_the_next(int code, string expected)
    {
        await using var failing = ScriptedDnsServer.Start(query => [query.Answer(code).ToArray()]);
        await using var working = ScriptedDnsServer.Start(query => [Text(query, "told")]);
        Assert.That(await AskAsync(failing, working), Is.EqualTo("told"));
        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => AskAsync(failing));
        Assert.That(failure!.Message, Does.Contain($"{failing.EndPoint} {expected}"));
    }

    [Test]
    public async Task A_server_that_only_points_to_others_has_not_answered()
    {
        await using var lame = ScriptedDnsServer.Start(query => [query.Answer(flags: 0x8000).ToArray()]);
        await using var working = ScriptedDnsServer.Start(query => [Text(query, "told")]);
        Assert.That(await AskAsync(lame, working), Is.EqualTo("told"));
    }

    [Test]
    public async Task Garbage_leaves_the_question_to_the_next_server_and_stays_out_of_the_message()
    {
        var long_ = new string('x', 255);
        await using var broken = ScriptedDnsServer.Start(query =>
            [query.Answer().Txt("weather.internal", long_, long_, "z").Put(6, 9).ToArray()]);
        await using var working = ScriptedDnsServer.Start(query => [Text(query, "told")]);
        Assert.That(await AskAsync(broken, working), Is.EqualTo("told"));
        var failure = await Assert.ThrowsAsync<DnsLookupException>(() => AskAsync(broken));
        Assert.That(failure!.Message, Does.Contain($"{broken.EndPoint} sent what is not a DNS answer."));
    }

    [Test]
    public async Task A_forged_answer_is_not_taken()
    {
        byte[] Forged(ScriptedDnsServer.Query query, string name, QueryType type) =>
            new PacketWriter().Id(query.Id).Flags(0x8580).Question(name, type).Txt("weather.internal", "forged").ToArray();

        await using var type = ScriptedDnsServer.Start(query => [Forged(query, "weather.internal", QueryType.SRV)]);
        await using var name = ScriptedDnsServer.Start(query => [Forged(query, "other.internal", QueryType.TXT)]);
        await using var id = ScriptedDnsServer.Start(query =>
            [query.Answer().Txt("weather.internal", "forged").Id(query.Id ^ 1).ToArray()]);
        await using var right = ScriptedDnsServer.Start(query => [Text(query, "right")]);
        Assert.That(await AskAsync(type, name, id, right), Is.EqualTo("right"));
    }

    [Test]
    public async Task A_truncated_answer_is_asked_for_over_TCP_of_the_same_server()
    {
        var long_ = new string('x', 255);
        await using var server = ScriptedDnsServer.Start(query => query.IsTcp
            ? [query.Answer().Txt("weather.internal", long_, long_, long_, long_, long_, long_).ToArray()]
            : [query.Answer(flags: 0x8780).ToArray()]);
        await using var other = ScriptedDnsServer.Start(_ => []);
        Assert.That(await AskAsync(server, other), Has.Length.EqualTo(6 * 255));
        Assert.That(server.Queries.Select(q => q.IsTcp), Is.EqualTo([false, true]));
        Assert.That(other.Queries, Is.Empty);
    }

    [Test]
    public async Task A_cancelled_question_is_a_cancellation()
    {
        await using var server = ScriptedDnsServer.Start(_ => []);
        using var leave = new CancellationTokenSource();
        var servers = new DnsServers(DnsServers.MakeClient(), TimeProvider.System);
        var asking = servers.AskAsync(new("weather.internal", QueryType.TXT), Conf(server), leave.Token);
        await server.NextAsync();
        await leave.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => asking);
    }

    [Test]
    public async Task Packets_that_were_changed_at_random_are_an_answer_or_a_failure()
    {
        var random = new Random(13);
        await using var server = ScriptedDnsServer.Start(query =>
        {
            var packet = query.Answer().Cname("weather.internal", "b.internal").Txt("b.internal", "text", "more")
                .Srv("b.internal", 1, 2, 3, "c.internal").A("b.internal", "10.0.0.1").Soa("internal", 60, 60)
                .Additional(w => w.Aaaa("c.internal", "fd00::1")).ToArray();
            for (var changes = random.Next(1, 6); changes > 0; changes--)
            {
                packet[random.Next(2, packet.Length)] = (byte)random.Next(256);
            }

            return [packet[..random.Next(12, packet.Length + 1)]];
        });
        var servers = new DnsServers(DnsServers.MakeClient(), TimeProvider.System);
        var lookup = new DnsLookup(new("none", [server.EndPoint]), servers, TimeProvider.System);
        var answered = 0;
        for (var i = 0; i < 500; i++)
        {
            try
            {
                answered += i % 2 == 0
                    ? (await lookup.FindTextsAsync("weather.internal.", Token)).Records.Length
                    : (await lookup.FindServicesAsync("weather.internal.", Token)).Records.Length;
            }
            catch (DnsLookupException)
            {
            }
        }

        Assert.That(answered, Is.GreaterThan(0), "some changes do no harm");
    }

    private static byte[] Text(ScriptedDnsServer.Query query, string text) => query.Answer().Txt("weather.internal", text).ToArray();

    private static ResolvConf Conf(params ScriptedDnsServer[] servers) => new() { Servers = [.. servers.Select(s => s.EndPoint)] };

    private static Task<string> AskAsync(params ScriptedDnsServer[] servers) =>
        AskAsync(new(DnsServers.MakeClient(), TimeProvider.System), Conf(servers));

    private static async Task<string> AskAsync(DnsServers servers, ResolvConf conf)
    {
        var reply = await servers.AskAsync(new("weather.internal", QueryType.TXT), conf, Token);
        return string.Concat(reply.Answers.OfType<TxtRecord>().Single().Text);
    }
}
