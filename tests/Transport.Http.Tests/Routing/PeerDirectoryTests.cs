using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Which nodes are found, which are left out, and the message if there are none.</summary>
public sealed class PeerDirectoryTests
{
    private static readonly (
        string, string)[] s_quickHealth = [("Http:Health:Interval", "00:00:00.2"), ("Http:Health:Timeout", "00:00:00.3")];

    [Test]
    public async Task The_local_node_is_one_of_the_endpoints()
    {
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, context) => $"{input} from {context.Sender}"), Listen(FreePort.Next()));

        Assert.That(await node.Bus.RequestAsync(Ask, "hello").InTime(), Is.EqualTo($"hello from {node.Bus.DescribeNode().Id}"));
        Assert.That((await node.Bus.ListNodesAsync()).Single().Id, Is.EqualTo(node.Bus.DescribeNode().Id));
    }

    [Test]
    public async Task The_local_node_and_others_share_requests()
    {
        var port = FreePort.Next();
        await using var other = await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(port));
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(
                FreePort.Next()), Service("other", port), ("Http:Services:other:Balancer", "RoundRobin"));

        var answers = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            answers.Add(await node.Bus.RequestAsync(Ask, "").InTime());
        }

        Assert.That(
            answers.CountBy(a => a).ToDictionary(),
            Is.EquivalentTo(new Dictionary<string, int> { [node.Bus.DescribeNode().Id] = 5, [other.Bus.DescribeNode().Id] = 5 }));
    }

    [Test]
    public async Task A_node_of_two_services_receives_a_signal_once()
    {
        var port = FreePort.Next();
        var inbox = new Inbox<string>();
        await using var listener = await StartAsync(mesh => mesh.AddHandler(News, inbox.ReceiveAsync), Listen(port));
        await using var sender = await StartAsync(null, Service("one", port), Service("two", port));

        var sent = await sender.Bus.SignalAsync(News, "once").InTime();
        await listener.StopAsync();

        Assert.That((sent.Receivers, sent.Failures.Count), Is.EqualTo((1, 0)));
        Assert.That(inbox.All, Is.EqualTo(["once"]));
    }

    [Test]
    public async Task A_signal_result_names_failed_endpoints_and_the_others_receive_it()
    {
        var (here, there) = (FreePort.Next(), FreePort.Next());
        var inbox = new Inbox<string>();
        await using var lives = await StartAsync(mesh => mesh.AddHandler(News, inbox.ReceiveAsync), Listen(here));
        await using var dies = await StartAsync(mesh => mesh.AddHandler(News, (_, _) => { }), Listen(there));
        await using var relay = new Relay(there);
        await using var sender = await StartAsync(null, [Service("all", here, relay.Port), .. s_quickHealth]);
        Assert.That((await sender.Bus.SignalAsync(News, "both").InTime()).Receivers, Is.EqualTo(2));

        await relay.CutAsync();
        var sent = await sender.Bus.SignalAsync(News, "one").InTime();

        Assert.That(sent.Receivers, Is.EqualTo(1));
        Assert.That(sent.Failures.Single(), Does.Contain($"127.0.0.1:{relay.Port}"));
        Assert.That(await inbox.NextAsync(2), Is.EqualTo(["both", "one"]));
    }

    [Test]
    public async Task A_node_that_stops_answering_receives_no_requests_until_it_returns()
    {
        var (here, there) = (FreePort.Next(), FreePort.Next());
        await using var stays = await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(here));
        await using var freezes = await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(there));
        await using var relay = new Relay(there);
        await using var caller = await StartAsync(
            null, [Service("all", here, relay.Port), ("Http:Services:all:Balancer", "RoundRobin"), .. s_quickHealth]);
        Assert.That((await caller.Bus.ListNodesAsync()), Has.Count.EqualTo(3));

        relay.Freeze();
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 2);
        for (var i = 0; i < 20; i++)
        {
            Assert.That(
                await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Timeout = TimeSpan.FromSeconds(5) }),
                Is.EqualTo(stays.Bus.DescribeNode().Id));
        }

        relay.Thaw();
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 3);
        await Failsafe.UntilAsync(async () => await caller.Bus.RequestAsync(Ask, "") == freezes.Bus.DescribeNode().Id);
    }

    [Test]
    public async Task A_node_that_returns_is_used_at_once()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var relay = new Relay(port);
        await using var caller = await StartAsync(null, Service("server", relay.Port), ("Http:Health:Interval", "00:01:00"));

        relay.Break();
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 1);
        relay.Repair();

        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 2);
        Assert.That(await caller.Bus.RequestAsync(Ask, "back").InTime(), Is.EqualTo("back"));
    }

    [Test]
    public async Task Replicas_hash_a_key_to_the_same_endpoint()
    {
        var (first, second) = (FreePort.Next(), FreePort.Next());
        Task<TestNode> ReplicaAsync(int port) => StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(
                port), Service("all", first, second), ("Http:Services:all:Balancer", "ConsistentHash"));
        await using var one = await ReplicaAsync(first);
        await using var two = await ReplicaAsync(second);
        foreach (var node in new[] { one, two })
        {
            await Failsafe.UntilAsync(
                async () => (await node.Bus.ListNodesAsync()).Count(n => n.Subscriptions.Any(s => s.Pattern == "test.ask")) == 2);
        }

        var owners = new HashSet<string>();
        for (var key = 0; key < 100; key++)
        {
            var options = new RequestOptions { Headers = Headers.Empty.With("partition-key", $"{key}") };
            var owner = await one.Bus.RequestAsync(Ask, "", options).InTime();
            Assert.That(await two.Bus.RequestAsync(Ask, "", options).InTime(), Is.EqualTo(owner), $"key {key}");
            owners.Add(owner);
        }

        Assert.That(owners, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task The_local_node_has_its_listed_priority()
    {
        var (main, standby) = (FreePort.Next(), FreePort.Next());
        await using var other = await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(main));
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(standby),
            ("Http:Services:all:Address", $"static:127.0.0.1:{main},127.0.0.1:{standby};priority=10"));

        for (var i = 0; i < 20; i++)
        {
            Assert.That(await node.Bus.RequestAsync(Ask, "").InTime(), Is.EqualTo(other.Bus.DescribeNode().Id));
        }
    }

    [Test]
    public async Task A_signal_result_names_a_group_without_reachable_members()
    {
        var port = FreePort.Next();
        await using var worker = await StartAsync(mesh => mesh.AddHandler(News, (_, _) => { }, o => o.Group = "workers"), Listen(port));
        await using var relay = new Relay(port);
        await using var sender = await StartAsync(null, [Service("all", relay.Port), .. s_quickHealth]);
        Assert.That((await sender.Bus.SignalAsync(News, "taken").InTime()).Receivers, Is.EqualTo(1));

        await relay.CutAsync();
        await Failsafe.UntilAsync(async () => (await sender.Bus.ListNodesAsync()).Count == 1);
        var sent = await sender.Bus.SignalAsync(News, "lost").InTime();

        Assert.That(sent.Receivers, Is.Zero);
        Assert.That(sent.Failures.Single(), Does.Contain("Group 'workers'").And.Contain($"127.0.0.1:{relay.Port}"));
    }

    [Test]
    public async Task A_header_of_maximum_length_in_any_script_arrives_over_HTTP_2()
    {
        var port = FreePort.Next();
        var longest = new string('雨', Headers.MaxCharacters - "long".Length);
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => $"{context.Headers["long"]!.Length}"), ("Http:Listen", $"h2c://127.0.0.1:{port}"));
        await using var caller = await StartAsync(null, Service("server", port), ("Http:Services:server:Http2", "true"));

        Assert.That(
            await caller.Bus.RequestAsync(Ask, "", new() { Headers = Headers.Empty.With("long", longest) }).InTime(),
            Is.EqualTo($"{longest.Length}"));
    }

    [Test]
    public async Task A_balancer_that_throws_is_reported_and_the_nodes_stay_watched()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var caller = await StartAsync(
            mesh => mesh.AddBalancer("Broken", _ => new Broken()), Service("server", port), ("Http:Services:server:Balancer", "Broken"));

        await server.Bus.SubscribeAsync(new RequestTopic<string, string>("test.later"), (input, _) => Task.FromResult(input));

        await Failsafe.UntilAsync(
            async () => (await caller.Bus.ListNodesAsync()).Any(n => n.Subscriptions.Any(s => s.Pattern == "test.later")));
        Assert.That(caller.Log.Has(LogLevel.Error, "The balancer Broken of 'test.ask' threw at an update"), Is.True);
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "").InTime()).Status, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_signal_that_a_member_refuses_goes_to_another_member()
    {
        var (strict, open) = (FreePort.Next(), FreePort.Next());
        var inbox = new Inbox<string>();
        Task<TestNode> WorkerAsync(int port, string most) => StartAsync(
            mesh => mesh.AddHandler(News, inbox.ReceiveAsync, o => o.Group = "workers"), Listen(port), ("Request:MaxBodyBytes", most));
        await using var refuses = await WorkerAsync(strict, "10");
        await using var takes = await WorkerAsync(open, "1000");
        await using var sender = await StartAsync(null, Service("all", strict, open), ("Http:Services:all:Balancer", "RoundRobin"));

        for (var i = 0; i < 4; i++)
        {
            var sent = await sender.Bus.SignalAsync(News, $"longer than ten bytes {i}").InTime();
            Assert.That((sent.Receivers, sent.Failures.Count), Is.EqualTo((1, 0)), string.Join(' ', sent.Failures));
        }
    }

    [Test]
    public async Task A_failing_local_node_is_avoided_like_any_other()
    {
        var port = FreePort.Next();
        await using var other = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input == "" ? throw new InvalidOperationException("It is broken.") : input),
            Listen(FreePort.Next()), Service("other", port), ("Http:Services:other:Balancer", "LeastLatency"));

        var failed = 0;
        for (var i = 0; i < 20; i++)
        {
            failed += (await node.Bus.TryRequestAsync(Ask, "").InTime()).IsSuccess ? 0 : 1;
        }

        Assert.That(failed, Is.LessThanOrEqualTo(1));
    }

    [Test]
    public async Task The_traffic_of_the_local_node_counts()
    {
        var port = FreePort.Next();
        await using var other = await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) => context.NodeId + input), Listen(port));
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, context) => context.NodeId + input),
            Listen(FreePort.Next()), Service("other", port), ("Http:Services:other:Balancer", "LeastTraffic"));

        var text = new string('x', 10_000);
        var here = 0;
        for (var i = 0; i < 20; i++)
        {
            here += (await node.Bus.RequestAsync(Ask, text)
                .InTime()).StartsWith(node.Bus.DescribeNode().Id, StringComparison.Ordinal) ? 1 : 0;
        }

        Assert.That(here, Is.InRange(8, 12));
    }

    [Test]
    public async Task A_waiting_signal_ends_when_its_sender_stops()
    {
        var port = FreePort.Next();
        await using var listener = await StartAsync(mesh => mesh.AddHandler(News, (_, _) => { }), Listen(port));
        await using var relay = new Relay(port);
        var sender = await StartAsync(
            null, Service("all", relay.Port), ("Http:Health:Timeout", "00:00:30"), ("Http:Timeouts:Attempt", "00:00:30"));
        Assert.That((await sender.Bus.SignalAsync(News, "there").InTime()).Receivers, Is.EqualTo(1));

        relay.Freeze();
        var sending = sender.Bus.SignalAsync(News, "on its way");
        await relay.HeldAsync("on its way").InTime();
        await sender.StopAsync().InTime();
        var sent = await sending.InTime();
        await sender.DisposeAsync();

        Assert.That(sent.Failures, Is.EqualTo([$"http://127.0.0.1:{relay.Port} had not answered when the bus stopped"]));
    }

    [TestCase("2.0")]
    [TestCase("1.1")]
    public async Task TLS_negotiates_the_best_common_version(string version)
    {
        using var certificates = new TestCertificates();
        var port = FreePort.Next();
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input),
            ("Http:Listen", $"https://127.0.0.1:{port}"), ("Http:Tls:Certificate", certificates.Server),
            ("Http:Tls:CertificateKey", certificates.ServerKey));
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(certificates.Authority);
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = new() { CertificateChainPolicy = policy } })
        {
            DefaultRequestVersion = Version.Parse(version),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };

        using var response = await http.GetAsync(new Uri($"https://localhost:{port}/mesh/v1/health")).InTime();

        Assert.That((response.IsSuccessStatusCode, response.Version), Is.EqualTo((true, Version.Parse(version))));
    }

    [Test]
    public async Task A_killed_node_is_reported_as_unavailable_and_not_as_a_missing_handler()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var relay = new Relay(port);
        await using var caller = await StartAsync(null, [Service("server", relay.Port), .. s_quickHealth]);
        Assert.That(await caller.Bus.RequestAsync(Ask, "there"), Is.EqualTo("there"));

        await relay.CutAsync();
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 1);
        var reply = await caller.Bus.TryRequestAsync(Ask, "gone").InTime();

        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(reply.Failure!.Message, Does.Contain($"http://127.0.0.1:{relay.Port}"));
    }

    [Test]
    public async Task A_connection_that_breaks_while_waiting_is_not_retried_elsewhere()
    {
        var (first, second) = (FreePort.Next(), FreePort.Next());
        var held = new Held();
        string? entered = null;
        Task<string> HandleAsync(string input, HandlerContext context)
        {
            entered = context.NodeId;
            return held.HandleAsync(input, context);
        }

        await using var one = await StartAsync(mesh => mesh.AddHandler(Ask, HandleAsync), Listen(first));
        await using var two = await StartAsync(mesh => mesh.AddHandler(Ask, HandleAsync), Listen(second));
        await using var toOne = new Relay(first);
        await using var toTwo = new Relay(second);
        await using var caller = await StartAsync(null, Service("both", toOne.Port, toTwo.Port));
        var asking = caller.Bus.TryRequestAsync(Ask, "");
        await held.EnteredAsync();

        // The other can be reached and would take it.
        await (entered == one.Bus.DescribeNode().Id ? toOne : toTwo).CutAsync();
        var reply = await asking.InTime();
        held.Release();

        Assert.That((reply.Status, reply.Failure!.NotProcessed, held.Calls), Is.EqualTo((StatusCode.Unavailable, false, 1)));
        Assert.That(reply.Failure!.Message, Does.Contain("It is not known whether a handler ran"));
    }

    [Test]
    public async Task A_name_that_does_not_resolve_at_start_is_reported()
    {
        // A server that is not there answers nothing, and ICMP says so at once.
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input).Services.AddHealthChecks().AddServiceMesh(), Listen(FreePort.Next()),
            ("Http:Services:far:Address", "dns://nowhere.internal:5080"),
            ("Http:Dns:Servers", $"127.0.0.1:{FreePort.Next()}"), ("Http:Timeouts:Connect", "00:00:00.3"));

        var local = await node.Bus.RequestAsync(Ask, "lives").InTime();
        var far = await node.Bus.TryRequestAsync(new RequestTopic<string, string>("far.ask"), "").InTime();

        Assert.That(local, Is.EqualTo("lives"));
        Assert.That((far.Status, far.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(far.Failure!.Message, Does.Contain("far (dns://nowhere.internal:5080)"));
        Assert.That(node.Log.Has(LogLevel.Warning, "Service far (dns://nowhere.internal:5080) has no endpoint yet"), Is.True);
        var health = await node.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync().InTime();
        Assert.That(health.Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That(health.Entries.Values.Single().Description, Does.Contain("far (dns://nowhere.internal:5080)"));
    }

    [Test]
    public async Task A_custom_resolver_that_returns_an_invalid_host_is_reported()
    {
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input).AddResolver("own", (_, _) => new OneAddress(new("a b/../c", 80))),
            Listen(FreePort.Next()), ("Http:Services:far:Address", "own://x"), ("Http:Services:far:Topics:far.ask", "/ask"));

        var far = await node.Bus.TryRequestAsync(new RequestTopic<string, string>("far.ask"), "").InTime();

        Assert.That(await node.Bus.RequestAsync(Ask, "lives").InTime(), Is.EqualTo("lives"));
        Assert.That((far.Status, far.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(
            far.Failure.Message,
            Does.Contain("The resolver of 'own://x' returned an invalid address: 'a b/../c' is neither an IP address nor a host name."));
        Assert.That(
            node.Log.Has(LogLevel.Warning, "far could not be resolved: The resolver of 'own://x' returned an invalid address"), Is.True);
    }

    [Test]
    public async Task An_empty_group_is_reported_and_filled_later()
    {
        var port = FreePort.Next();
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "[]");
            await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
            await using var caller = await StartAsync(null, ("Http:Services:weather:Address", $"file:{file}"));

            var empty = await caller.Bus.TryRequestAsync(Ask, "").InTime();
            Assert.That(
                (empty.Status, empty.Failure!.Message.Contains("weather (file:", StringComparison.Ordinal)),
                Is.EqualTo((StatusCode.Unavailable, true)));

            await File.WriteAllTextAsync(file, $$"""[{ "host": "127.0.0.1", "port": {{port}} }]""");
            await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(Ask, "filled")).IsSuccess);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public async Task A_changed_address_list_moves_the_traffic_without_a_failed_request()
    {
        var (before, after) = (FreePort.Next(), FreePort.Next());
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, $$"""[{ "host": "127.0.0.1", "port": {{before}} }]""");
            await using var old = await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(before));
            await using var young = await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), Listen(after));
            await using var relay = new Relay(after);
            await using var caller = await StartAsync(
                null, ("Http:Services:weather:Address", $"file:{file}"), ("Http:Health:Timeout", "00:00:20"));
            Assert.That(await caller.Bus.RequestAsync(Ask, ""), Is.EqualTo(old.Bus.DescribeNode().Id));

            // What the new one handles is not known before it has answered.
            relay.Freeze();
            await File.WriteAllTextAsync(file, $$"""[{ "host": "127.0.0.1", "port": {{relay.Port}} }]""");
            await Failsafe.UntilAsync(() => relay.WasCalled);
            Assert.That(await caller.Bus.RequestAsync(Ask, "").InTime(), Is.EqualTo(old.Bus.DescribeNode().Id));
            relay.Thaw();

            var failed = new List<string>();
            await Failsafe.UntilAsync(async () =>
            {
                var reply = await caller.Bus.TryRequestAsync(Ask, "");
                failed.AddRange(reply.IsSuccess ? [] : [reply.Failure!.Message]);
                return reply.Value == young.Bus.DescribeNode().Id;
            });
            Assert.That(failed, Is.Empty);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public async Task A_certificate_must_contain_the_name_and_not_the_resolved_address()
    {
        using var certificates = new TestCertificates();
        var port = FreePort.Next();
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input),
            ("Http:Listen", $"https://127.0.0.1:{port}"), ("Http:Tls:Certificate", certificates.Server),
            ("Http:Tls:CertificateKey", certificates.ServerKey));
        Task<TestNode> CallerAsync(string name) => StartAsync(
            null, ("Http:Services:server:Address", $"static:127.0.0.1:{port};tls=true;name={name}"),
            ("Http:Tls:TrustedRoots", certificates.Authority));
        await using var right = await CallerAsync("localhost");
        await using var wrong = await CallerAsync("other.name");

        var refused = await wrong.Bus.TryRequestAsync(Ask, "hello").InTime();

        Assert.That(await right.Bus.RequestAsync(Ask, "hello").InTime(), Is.EqualTo("hello"));
        Assert.That(refused.Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(refused.Failure!.Message, Does.Contain("RemoteCertificateNameMismatch"));
    }

    private sealed class OneAddress(ResolvedAddress address) : IResolver
    {
        public async IAsyncEnumerable<ResolverResult> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            yield return ResolverResult.Found([address]);
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }
    }

    private sealed class Broken : IBalancer
    {
        public void Update(ImmutableArray<Endpoint> endpoints) => throw new InvalidOperationException("It is broken.");

        public Endpoint? Pick(in PickContext context) => null;
    }
}
