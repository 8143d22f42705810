using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>Two nodes with connected links: each receives the frames that the other writes.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LinkSetTests : IAsyncDisposable
{
    private readonly BareNode _node = new(options => options.Request.MaxBodyBytes = 10_000);
    private readonly List<LinkLoss> _losses = [];
    private readonly Dictionary<string, LinkSet> _sets = [];
    private readonly List<(string To, byte[] Packet)> _packets = [];

    public LinkSetTests()
    {
        foreach (var name in (string[])["caller", "server"])
        {
            _sets[name] = new(name, WriteTo, new() { MaxBodyBytes = 10_000 }, _node.Clock, new(_node.Clock)) { OnLoss = _losses.Add };
        }
    }

    private LinkSet Caller => _sets["caller"];

    private LinkSet Server => _sets["server"];

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    private FrameWrite WriteTo(string peer) => (bytes, _) =>
    {
        var packet = bytes.ToArray();
        lock (_packets)
        {
            _packets.Add((peer, packet));
        }

        if (!_sets.TryGetValue(peer, out var target))
        {
            return new(new WriteOutcome(WriteResult.NoReceiver, "no such node"));
        }

        target.Hear(packet);
        return new(WriteOutcome.Written);
    };

    private Task<LinkAnswer> Ask(
        string topic = "links.ask",
        string group = "_default",
        object? input = null,
        TimeSpan? deadline = null,
        CancellationToken cancellationToken = default) =>
        Caller.To("server").SendAsync(_node.Request(topic, input ?? "word", deadline), group, cancellationToken).AsTask();

    [Test]
    public async Task A_request_runs_and_its_reply_carries_the_load()
    {
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", (word, _) => Task.FromResult(word + "!")));

        var answer = await Ask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.That(
            (answer.Kind, System.Text.Encoding.UTF8.GetString(answer.Reply.Body.Span)), Is.EqualTo((AnswerKind.Reply, "\"word!\"")));
        Assert.That(() => (Caller.Outstanding, Server.Running.Count), Is.EqualTo((0, 0)).After(20_000, 5));
    }

    [Test]
    public async Task What_runs_is_empty_once_its_replies_stand_in_line()
    {
        var (entered, held) = (new TaskCompletionSource(), new TaskCompletionSource());
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", async (word, _) =>
        {
            entered.TrySetResult();
            await held.Task;
            return word;
        }));
        var asking = Ask();
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(20));

        var emptying = Server.Running.EmptyAsync();
        Assert.That(emptying.IsCompleted, Is.False, "its reply is not in line yet");
        held.SetResult();
        await emptying.WaitAsync(TimeSpan.FromSeconds(20));
        await Server.FlushAsync().WaitAsync(TimeSpan.FromSeconds(20));

        lock (_packets)
        {
            Assert.That(_packets.Select(p => p.To), Has.Member("caller"));
        }

        Assert.That((await asking.WaitAsync(TimeSpan.FromSeconds(20))).Kind, Is.EqualTo(AnswerKind.Reply));
    }

    [TestCase("links.other", "_default")]
    [TestCase("links.ask", "others")]
    public async Task A_request_without_a_local_handler_is_refused_with_404(string topic, string group)
    {
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", (word, _) => Task.FromResult(word)));

        var answer = await Ask(topic, group);

        Assert.That((answer.Kind, answer.Reply.Status), Is.EqualTo((AnswerKind.Refusal, StatusCode.NotFound)));
    }

    [TestCase(FrameKind.Reply)]
    [TestCase(FrameKind.Refusal)]
    public async Task An_answer_of_which_only_the_id_can_be_read_ends_its_request(object kind)
    {
        var entered = new TaskCompletionSource();
        var leave = new TaskCompletionSource();
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", async (word, _) =>
        {
            entered.SetResult();
            await leave.Task;
            return word;
        }));
        var asking = Ask();
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(20));

        // A status of 99 is written as no node of this version would.
        Caller.Hear((byte[])[.. FrameWriter.Preamble("server"), 5, 0, 0, 0, (byte)(FrameKind)kind, 0, 1, 99, 0]);

        var answer = await asking.WaitAsync(TimeSpan.FromSeconds(20));
        leave.SetResult();
        Assert.That((answer.Kind, answer.Reply.Status), Is.EqualTo((AnswerKind.Reply, StatusCode.HandlerFailed)));
        Assert.That(answer.Reply.Error, Does.Contain("Node 'server'").And.Contain(nameof(FrameFault.MalformedNumber)));
    }

    [Test]
    public async Task A_reply_that_no_node_could_read_becomes_a_failure()
    {
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", (word, context) =>
        {
            context.ReplyHeaders = Headers.Empty.WithTrusted("name", "a\tb");
            return Task.FromResult(word);
        }));

        var answer = await Ask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.That((answer.Kind, answer.Reply.Status), Is.EqualTo((AnswerKind.Reply, StatusCode.HandlerFailed)));
        Assert.That(answer.Reply.Error, Does.Contain("control character"));
        Assert.That(_losses, Is.Empty);
    }

    [Test]
    public async Task A_request_that_no_node_could_read_is_not_written()
    {
        var request = _node.Request("links.ask") with { ContentType = "text/pläin" };

        var answer = await Caller.To("server").SendAsync(request, "_default", default).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.That((answer.Kind, answer.Reply.Status, answer.Reply.NotProcessed), Is.EqualTo((
            AnswerKind.Reply, StatusCode.BadRequest, true)));
        Assert.That(_packets, Is.Empty);
    }

    [Test]
    public async Task A_request_that_arrives_twice_runs_once()
    {
        var runs = 0;
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", (word, _) =>
        {
            Interlocked.Increment(ref runs);
            return Task.FromResult(word);
        }));
        await Ask().WaitAsync(TimeSpan.FromSeconds(20));

        Server.Hear(_packets.First(p => p.To == "server").Packet);

        Assert.That((runs, _losses.Single().Reason), Is.EqualTo((1, "duplicate")));
    }

    [Test]
    public async Task A_request_that_arrives_after_its_deadline_is_refused()
    {
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", (word, _) => Task.FromResult(word)));
        Caller.SharedClock.Set(1, 50_000, _node.Clock.GetTimestamp());
        Server.SharedClock.Set(1, 60_000, _node.Clock.GetTimestamp());

        var answer = await Ask(deadline: TimeSpan.FromSeconds(5));

        Assert.That((answer.Kind, answer.Reply.Status), Is.EqualTo((AnswerKind.Refusal, StatusCode.DeadlinePassed)));
    }

    [Test]
    public async Task A_cancellation_reaches_the_handler()
    {
        var entered = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", async (word, context) =>
        {
            context.CancellationToken.Register(() => cancelled.TrySetResult());
            entered.SetResult();
            await cancelled.Task;
            return word;
        }));
        using var givesUp = new CancellationTokenSource();
        var asking = Ask(cancellationToken: givesUp.Token);
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(20));

        await givesUp.CancelAsync();

        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.That(async () => await asking, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task The_departure_of_a_caller_cancels_its_running_requests()
    {
        var entered = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        Server.Requests.Add(_node.OnRequest<string, string>("links.ask", async (word, context) =>
        {
            context.CancellationToken.Register(() => cancelled.TrySetResult());
            entered.SetResult();
            await cancelled.Task;
            return word;
        }));
        _ = Ask();
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(20));

        Server.Departed("caller");

        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Test]
    public async Task A_signal_for_a_group_is_accepted_at_once_and_handled()
    {
        var heard = new TaskCompletionSource<string>();
        Server.SignalGroups.Add(_node.OnSignalWith("links.*", new() { Group = "workers" }, (word, _) =>
        {
            heard.SetResult(word);
            return Task.CompletedTask;
        }));

        var answer = await Caller.To("server").SendAsync(_node.Signal("links.news", "word"), "workers", default);

        Assert.That((answer.Kind, await heard.Task.WaitAsync(TimeSpan.FromSeconds(20))), Is.EqualTo((AnswerKind.Reply, "word")));
    }

    [Test]
    public async Task A_request_between_nodes_of_two_versions_ends_as_not_processed()
    {
        // The server speaks version 2: it writes the other version number and refuses version 1.
        byte[] theirs = [.. FrameWriter.Preamble("server", refusesVersion: true)];
        theirs[1] = 2;
        _sets.Remove("server");
        var asking = Caller.To("server").SendAsync(_node.Request("links.ask", "word"), "_default", default).AsTask();
        Assert.That((await asking).Kind, Is.EqualTo(AnswerKind.NoReceiver), "no such node");
        _sets["server"] = new("server", _ => (_, _) => new(WriteOutcome.Written), new() { MaxBodyBytes = 1 }, _node.Clock, new(_node.Clock))
        {
            OnLoss = _ => { },
        };
        asking = Caller.To("server").SendAsync(_node.Request("links.ask", "word"), "other", default).AsTask();

        Caller.Hear(theirs);

        var answer = await asking.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.That((answer.Kind, answer.Reply.NotProcessed), Is.EqualTo((AnswerKind.NotSent, true)));
        Assert.That(answer.Reply.Error, Does.Contain("version 2").And.Contain("server"));
        Assert.That(_losses.Select(l => l.Reason), Does.Contain("OtherVersion"));
    }

    [Test]
    public void A_packet_of_another_version_is_answered_with_one_refusal()
    {
        byte[] packet = [.. FrameWriter.Preamble("server"), 3, 0, 0, 0, 4, 0, 1];
        packet[1] = 9;
        _sets.Remove("server");

        Caller.Hear(packet);
        Caller.Hear(packet);

        Assert.That(_packets.Count(p => p.To == "server"), Is.EqualTo(1));
        Assert.That(FrameReader.ReadPreamble(_packets[0].Packet, new(), out var preamble), Is.EqualTo(FrameFault.None));
        Assert.That(preamble.RefusesVersion, Is.True);
    }

    [Test]
    public void Garbage_is_counted_and_the_frames_after_it_are_read()
    {
        var beats = new List<long>();
        Caller.OnBeat = beats.Add;
        using var packet = new FrameBuffer();
        packet.Raw(FrameWriter.Preamble("caller"));
        packet.Raw([4, 0, 0, 0, 77, 0, 1, 1]);
        FrameWriter.Ping(packet, 42, LinkSet.BeatStamp);
        packet.Raw([200, 0, 0, 0]);

        Caller.Hear(packet.Written.ToArray());
        Caller.Hear("GET / HTTP/1.1"u8.ToArray());

        Assert.That(beats, Is.EqualTo([42L]));
        Assert.That(_losses.Select(l => l.Detail.Split(':')[0]), Is.EqualTo(["UnknownKind", "WrongLength", "ForeignPacket"]));
    }

    [Test]
    public async Task Each_of_many_callers_gets_its_own_answer()
    {
        Server.Requests.Add(
            _node.OnRequest<int, int>("links.ask", (number, _) => Task.FromResult(number * 2), new() { MaxQueued = 2_000 }));

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 2_000).Select(i => Task.Run(() => Ask(input: i)))).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.That(
            answers.Select(a => int.Parse(
                System.Text.Encoding.UTF8.GetString(a.Reply.Body.Span), System.Globalization.CultureInfo.InvariantCulture)),
            Is.EqualTo(Enumerable.Range(0, 2_000).Select(i => i * 2)));
        Assert.That(_losses, Is.Empty);
    }
}
