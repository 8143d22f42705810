using System.Text;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Links;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Sealing;

/// <summary>A mesh with keys, and a stranger on the same Redis.</summary>
public sealed class SealedMeshTests
{
    private const string Dropped = "servicemesh.dropped.messages";

    private static readonly RequestTopic<string, string> s_ask = new("sealed.ask");
    private static readonly RequestTopic<string, string> s_fail = new("sealed.fail");
    private static readonly SignalTopic<string> s_news = new("sealed.news");
    private static readonly string s_key = NodeSealTests.KeyOf(1);
    private static readonly string[] s_failed = ["sealed.fail"];

    private Inbox<string> _asked = new();
    private Inbox<string> _heard = new();
    private readonly List<IAsyncDisposable> _made = [];
    private RedisServer _redis = null!;
    private RedisNode _server = null!;
    private RedisNode _caller = null!;
    private Stranger _stranger = null!;

    [SetUp]
    public async Task StartAsync()
    {
        (_asked, _heard) = (new(), new());
        _redis = await RedisServer.StartAsync();
        _server = await StartNodeAsync(Serve);
        _caller = await StartNodeAsync();
        _stranger = Made(await Stranger.ListenAsync(_redis, _server, _caller));
    }

    [TearDown]
    public async Task StopAsync()
    {
        foreach (var made in Enumerable.Reverse(_made))
        {
            await made.DisposeAsync();
        }

        _made.Clear();
        await _redis.DisposeAsync();
    }

    [Test]
    public async Task A_stranger_who_hears_and_reads_everything_reads_nothing()
    {
        Assert.That(await _caller.Bus.RequestAsync(s_ask, "secret-question").InTime(), Is.EqualTo("secret-question!"));
        await _caller.Bus.SignalAsync(s_news, "secret-news").InTime();
        Assert.That(await _heard.NextAsync(3), Is.All.EqualTo("secret-news"), "by name, by pattern, and in a group");
        Assert.That((await _caller.Bus.TryRequestAsync(s_fail, "secret-body").InTime()).Status, Is.EqualTo(StatusCode.HandlerFailed));
        await Failsafe.UntilAsync(async () => await _caller.ErrorQueue.CountAsync() == 1);
        Assert.That((await _caller.ErrorQueue.ReadAsync(1)).Single().Topic, Is.EqualTo("sealed.fail"));
        await StartNodeAsync(Serve);
        await Failsafe.UntilAsync(() => _stranger.On("mesh:notices").Length > 0);

        var everything = await _stranger.EverythingAsync(_redis);

        Assert.That(_stranger.On(Stranger.InboxOf(_server)), Is.Not.Empty);
        Assert.That(_stranger.On(Stranger.InboxOf(_server)).Select(packet => packet[0]), Is.All.EqualTo(0xB6));
        Assert.That(_stranger.On("mesh:signal:sealed.news"), Has.Length.EqualTo(1));
        foreach (var word in (string[])["secret", "sealed.ask", "sealed.fail", "_default", "readers", "Version"])
        {
            Assert.That(everything, Is.All.Not.Contains(word));
        }
    }

    [Test]
    public async Task What_a_stranger_publishes_is_counted_and_ignored()
    {
        using var metrics = _server.Record();
        await _caller.Bus.RequestAsync(s_ask, "first").InTime();
        await _caller.Bus.SignalAsync(s_news, "first").InTime();
        Assert.That(await _asked.NextAsync(), Is.EqualTo("first"));
        await _heard.NextAsync(3);
        var (inbox, news) = (Stranger.InboxOf(_server), "mesh:signal:sealed.news");
        await Failsafe.UntilAsync(() => _stranger.On(inbox).Length > 0 && _stranger.On(news).Length > 0);

        // Each as often as the node hears the channel: its inbox once, a signal by name and by pattern.
        await ExpectAsync("replayed", inbox, _stranger.On(inbox)[^1], 1);
        await ExpectAsync("replayed", news, _stranger.On(news)[0], 2);
        await ExpectAsync("forged", inbox, Changed(_stranger.On(inbox)[^1]), 1);
        await ExpectAsync("forged", news, _stranger.On(news)[0][..^1], 2);
        await ExpectAsync("forged", inbox, _stranger.On(news)[0], 1);
        await ExpectAsync("not-sealed", inbox, Plain(_server.Id), 1);
        await ExpectAsync("not-sealed", "mesh:notices", Encoding.UTF8.GetBytes($"{{\"n\":\"{_caller.Id}\",\"v\":1,\"g\":true}}"), 1);
        await ExpectAsync("unknown-key", inbox, Sealed(NodeSealTests.KeyOf(9), inbox, 0), 1);
        await ExpectAsync("late", inbox, Sealed(s_key, inbox, 90_000), 1);

        Assert.That(await _caller.Bus.RequestAsync(s_ask, "last").InTime(), Is.EqualTo("last!"), "the mesh goes on");
        Assert.That(string.Join(' ', _asked.All), Is.EqualTo("first last"));
        Assert.That(_heard.All, Has.Count.EqualTo(3));
        foreach (var said in (string[])["came twice", "forged, changed or cut", "is not sealed", "ServiceMesh:Redis:Keys", "90 s ago"])
        {
            Assert.That(_server.Log.Lines, Has.Some.Contains(said));
        }

        async Task ExpectAsync(string reason, string channel, byte[] packet, int times)
        {
            var before = metrics.Sum(Dropped, $"servicemesh.reason={reason}");
            Assert.That(await _stranger.PublishAsync(channel, packet), Is.Positive);
            await Failsafe.UntilAsync(() => metrics.Sum(Dropped, $"servicemesh.reason={reason}") >= before + times);
            Assert.That(metrics.Sum(Dropped, $"servicemesh.reason={reason}"), Is.EqualTo(before + times), reason);
        }
    }

    [Test]
    public async Task A_packet_that_a_stranger_holds_back_is_refused_behind_the_next_one()
    {
        // What a sender of the mesh sealed one after the other, and the stranger lets through in another order.
        using var metrics = _server.Record();
        var sealer = new Sealer(NodeSealTests.SealOf(s_key), () => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        const string News = "mesh:signal:sealed.news";
        var (one, two) = (Seal("one"), Seal("two"));

        await _stranger.PublishAsync(News, two);
        await _stranger.PublishAsync(News, one);

        await Failsafe.UntilAsync(() => metrics.Sum(Dropped, "servicemesh.reason=replayed") >= 2);
        Assert.That(await _heard.NextAsync(2), Is.All.EqualTo("two"));
        Assert.That(_heard.All, Has.Count.EqualTo(2));

        byte[] Seal(string word) => sealer.Seal(Encoding.UTF8.GetBytes(News), Signal(word));
    }

    [Test]
    public async Task A_flood_of_forged_packets_is_counted_one_by_one_and_logged_together()
    {
        const int Flood = 2_000;
        using var metrics = _server.Record();
        var forged = new byte[200];
        forged[0] = 0xB6;

        for (var i = 0; i < Flood; i++)
        {
            _ = _stranger.PublishAsync(Stranger.InboxOf(_server), forged);
        }

        await Failsafe.UntilAsync(() => metrics.Sum(Dropped, "servicemesh.reason=forged") >= Flood);
        Assert.That(await _caller.Bus.RequestAsync(s_ask, "on").InTime(), Is.EqualTo("on!"));
        Assert.That(_server.Log.Lines.Count(line => line.Contains("forged, changed", StringComparison.Ordinal)), Is.LessThan(Flood / 4));
    }

    [Test]
    public async Task A_rolling_change_of_keys_loses_nothing()
    {
        var next = NodeSealTests.KeyOf(2);
        var (failures, sent, stop) = (new List<string>(), 0, false);
        var servers = new Queue<RedisNode>([_server, await StartNodeAsync(Serve)]);
        var caller = _caller;
        await ErrorsAsync(1);
        foreach (var keys in (string[][])[[s_key, next], [next, s_key], [next]])
        {
            // A new one beside the old one each time, under load.
            (stop, var load) = (false, LoadAsync(caller));
            for (var i = 0; i < 2; i++)
            {
                servers.Enqueue(await StartNodeAsync(Serve, keys));
                await servers.Dequeue().DisposeAsync();
            }

            var newer = await StartNodeAsync(null, keys);
            stop = true;
            await load;
            if (keys[^1] == next && keys.Length == 1)
            {
                break; // the reports are worked through before the old key goes
            }

            await caller.DisposeAsync();
            caller = newer;
            await ErrorsAsync(1);
            Assert.That(await caller.ErrorQueue.TakeAsync(10).AsTask().InTime() is var taken ? taken.Count : 0, Is.EqualTo(2));
            foreach (var report in taken)
            {
                Assert.That(await caller.ErrorQueue.AcknowledgeAsync(report), Is.True);
            }

            await ErrorsAsync(1);
        }

        Assert.That(failures, Is.Empty);
        Assert.That(sent, Is.Positive);

        async Task ErrorsAsync(int count)
        {
            var before = await caller.ErrorQueue.CountAsync();
            await caller.Bus.TryRequestAsync(s_fail, "x").InTime();
            await Failsafe.UntilAsync(async () => await caller.ErrorQueue.CountAsync() == before + count);
        }

        async Task LoadAsync(RedisNode from)
        {
            while (!stop)
            {
                var reply = await from.Bus.TryRequestAsync(s_ask, "x").InTime();
                sent++;
                if (!reply.IsSuccess)
                {
                    failures.Add($"{reply.Status} {reply.Failure!.Message}");
                }
            }
        }
    }

    [Test]
    public async Task A_report_that_is_sealed_with_another_key_stays_in_the_queue()
    {
        await _caller.Bus.TryRequestAsync(s_fail, "x").InTime();
        await Failsafe.UntilAsync(async () => await _caller.ErrorQueue.CountAsync() == 1);
        byte[] never = [0xB6, 1, 2];
        await _stranger.PushAsync("mesh:errors", never);
        Assert.That(await _stranger.SeesAsync("mesh:errors", never), Is.True);
        await _caller.DisposeAsync();
        await _server.DisposeAsync();
        var other = await StartNodeAsync(null, [NodeSealTests.KeyOf(2)]);

        Assert.That(await other.ErrorQueue.TakeAsync(10), Is.Empty);
        Assert.That(await _stranger.SeesAsync("mesh:errors", never), Is.False, "an entry that was never a report is taken out");
        Assert.That(other.Log.Lines, Has.Some.Contains("They stay there").And.Contains("ServiceMesh:Redis:Keys"));
        await other.DisposeAsync();
        var again = await StartNodeAsync();
        var taken = await again.ErrorQueue.TakeAsync(10);
        Assert.That(taken.Select(report => report.Report.Topic), Is.EqualTo(s_failed), "and not those of the other");
    }

    [Test]
    public async Task A_report_of_before_the_keys_stays_in_the_queue_and_is_told_once()
    {
        var plain = await StartNodeAsync(Serve, [], ("Redis:KeyPrefix", "later"));
        await plain.Bus.TryRequestAsync(s_fail, "x").InTime();
        await Failsafe.UntilAsync(async () => await plain.ErrorQueue.CountAsync() == 1);
        await plain.DisposeAsync();
        var with = await StartNodeAsync(null, null, ("Redis:KeyPrefix", "later"));

        Assert.That(await with.ErrorQueue.ReadAsync(10), Is.Empty);
        Assert.That(Told(), Is.EqualTo(1), "by reading");
        // What it finds is its own report of that.
        Assert.That((await with.ErrorQueue.TakeAsync(10)).Select(report => report.Report.Topic), Has.None.EqualTo("sealed.fail"));
        Assert.That(Told(), Is.EqualTo(1), "once");
        await with.DisposeAsync();
        var again = await StartNodeAsync(null, [], ("Redis:KeyPrefix", "later"));
        Assert.That((await again.ErrorQueue.TakeAsync(10)).Select(report => report.Report.Topic), Is.EqualTo(s_failed));

        int Told() => with.Log.Lines.Count(line => line.Contains("are not sealed", StringComparison.Ordinal)
            && line.Contains("on one without ServiceMesh:Redis:Keys", StringComparison.Ordinal));
    }

    [Test]
    public async Task A_node_with_another_key_is_refused_at_start() =>
        Assert.That(await RefusedAsync([NodeSealTests.KeyOf(2)]), Does.Contain("have other keys than this node. ")
            .And.Contain("ServiceMesh:Redis:Keys").And.Contain("ServiceMesh:Redis:KeyPrefix"));

    [Test]
    public async Task A_node_without_a_key_is_refused_by_a_mesh_with_keys() =>
        Assert.That(await RefusedAsync([]), Does.Contain("seal their messages with keys, and this node has none")
            .And.Contain("ServiceMesh:Redis:Keys"));

    [Test]
    public async Task Entries_without_a_seal_are_warned_of_and_keep_no_node_from_starting()
    {
        await using var plain = await RedisNode.StartAsync(_redis.Address, null, ("Redis:KeyPrefix", "plain"));

        var first = await StartNodeAsync(Serve, null, ("Redis:KeyPrefix", "plain"));

        Assert.That(first.Log.Lines, Has.Some.Contains("are not sealed, and this node has keys").And.Contains("ServiceMesh:Redis:Keys"));
    }

    [Test]
    public async Task Meshes_with_two_keys_and_two_prefixes_share_a_Redis()
    {
        await using var other = await StartNodeAsync(
            mesh => mesh.AddHandler(s_ask, (_, _) => "other"), [NodeSealTests.KeyOf(2)], ("Redis:KeyPrefix", "other"));

        Assert.That(await other.Bus.RequestAsync(s_ask, "x").InTime(), Is.EqualTo("other"));
        Assert.That(await _caller.Bus.RequestAsync(s_ask, "x").InTime(), Is.EqualTo("x!"));
    }

    [TestCase("Redis:Keys:0", "dG9vIHNob3J0", "ServiceMesh:Redis:Keys:0 has 9 bytes. Write a key of 32 bytes as base64")]
    [TestCase("Redis:Keys:0", "???", "ServiceMesh:Redis:Keys:0 is not base64. Write a key of 32 bytes as base64")]
    [TestCase("Redis:Keys", "dG9vIHNob3J0", "ServiceMesh:Redis:Keys is one text; write a list")]
    public async Task A_key_that_is_wrong_is_refused_at_start(string key, string value, string problem)
    {
        var refusal = await Assert.CatchAsync(() => RedisNode.StartAsync("127.0.0.1:1", null, (key, value)));

        Assert.That(refusal!.Message, Does.Contain(problem).And.Not.Contain(value));
    }

    [Test]
    public async Task Keys_are_refused_on_the_Gilmour_wire()
    {
        var refusal = await Assert.CatchAsync(
            () => RedisNode.StartAsync("127.0.0.1:1", null, ("Redis:Keys:0", s_key), ("Redis:Wire", "Gilmour")));

        Assert.That(refusal!.Message, Does.Contain("ServiceMesh:Redis:Keys is set and ServiceMesh:Redis:Wire is Gilmour")
            .And.Contain("Take the keys out"));
    }

    private static byte[] Changed(byte[] packet)
    {
        byte[] changed = [.. packet];
        changed[^1] ^= 1;
        return changed;
    }

    // A frame as it would be without keys.
    private static byte[] Plain(string sender)
    {
        using var packet = new FrameBuffer();
        packet.Raw(FrameWriter.Preamble(sender));
        FrameWriter.Message(packet, 1_000_000, Message(MessageKind.Request, "sealed.ask", "forged"), "_default", FrameDeadline.None);
        return packet.Written.ToArray();
    }

    private static byte[] Signal(string word)
    {
        using var packet = new FrameBuffer();
        packet.Raw(FrameWriter.Preamble("other"));
        FrameWriter.Message(packet, 1, Message(MessageKind.Signal, "sealed.news", word), "", FrameDeadline.None);
        return packet.Written.ToArray();
    }

    private static byte[] Sealed(string key, string channel, long age) =>
        new Sealer(NodeSealTests.SealOf(key), () => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - age)
            .Seal(Encoding.UTF8.GetBytes(channel), Plain("other"));

    private static Message Message(MessageKind kind, string topic, string body) => new()
    {
        Id = new("other", 1),
        Kind = kind,
        Topic = Topic.Parse(topic),
        Body = Encoding.UTF8.GetBytes($"\"{body}\""),
        ContentType = "application/json",
    };

    private void Serve(IServiceMeshBuilder mesh) => mesh
        .AddHandler(s_ask, (word, _) =>
        {
            _asked.Put(word);
            return word + "!";
        })
        .AddHandler(s_fail, string (_, _) => throw new InvalidOperationException("no"))
        .AddHandler(s_news, _heard.ReceiveAsync)
        .AddHandler(s_news, _heard.ReceiveAsync, options => options.Group = "readers")
        .AddHandler(new SignalPattern<string>("sealed.*"), _heard.ReceiveAsync);

    private async Task<string> RefusedAsync(string[] keys, params (string Key, string Value)[] settings) =>
        (await Assert.CatchAsync<TransportException>(() => StartNodeAsync(null, keys, settings)))!.Message;

    private T Made<T>(T made)
        where T : IAsyncDisposable
    {
        _made.Add(made);
        return made;
    }

    private async Task<RedisNode> StartNodeAsync(
        Action<IServiceMeshBuilder>? configure = null, string[]? keys = null, params (string Key, string Value)[] settings) =>
        Made(await RedisNode.StartAsync(
            _redis.Address, configure,
            [.. (keys ?? [s_key]).Select((key, i) => ($"Redis:Keys:{i}", key)), ("ErrorPolicy", "Queue"), .. settings]));
}
