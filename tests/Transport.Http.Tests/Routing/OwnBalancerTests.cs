using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>Balancers of the application's own: slow ones, and ones that throw from each of their members.</summary>
public sealed class OwnBalancerTests
{
    [Test]
    public async Task Only_callers_with_changes_wait_for_a_slow_balancer()
    {
        var port = FreePort.Next();
        using var open = new ManualResetEventSlim(true);
        using var entered = new SemaphoreSlim(0);
        var slow = new Scripted
        {
            OnUpdate = _ =>
            {
                if (!open.IsSet)
                {
                    entered.Release();
                    open.Wait(TimeSpan.FromSeconds(30));
                }
            },
        };
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var caller = await CallerAsync(_ => slow, port, Listen(FreePort.Next()));

        open.Reset();
        var subscribing = caller.Bus.SubscribeAsync(new RequestTopic<string, string>("test.mine"), (input, _) => Task.FromResult(input));
        await entered.WaitAsync().InTime();
        try
        {
            Assert.That(await caller.Bus.ListNodesAsync().InTime(), Has.Count.EqualTo(2));
            Assert.That(await caller.Bus.RequestAsync(Ask, "meanwhile").InTime(), Is.EqualTo("meanwhile"));
            Assert.That(
                (await caller.Bus.TryRequestAsync(new RequestTopic<string, string>("test.unknown"), "").InTime()).Status,
                Is.EqualTo(StatusCode.NotFound));
            Assert.That(subscribing.IsCompleted, Is.False);
        }
        finally
        {
            open.Set();
        }

        await subscribing.InTime();
        Assert.That(await caller.Bus.RequestAsync(new RequestTopic<string, string>("test.mine"), "mine").InTime(), Is.EqualTo("mine"));
    }

    [Test]
    public async Task Balancer_updates_come_one_at_a_time_and_the_last_is_complete()
    {
        var (here, there) = (FreePort.Next(), FreePort.Next());
        var (running, most) = (0, 0);
        var made = new ConcurrentBag<Scripted>();
        IBalancer Make(BalancerContext context)
        {
            var balancer = new Scripted { OnUpdate = Count };
            made.Add(balancer);
            return balancer;
        }

        void Count(ImmutableArray<Endpoint> endpoints)
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            Thread.SpinWait(10_000);
            Interlocked.Decrement(ref running);
        }

        await using var caller = await CallerAsync(Make, [here, there], Listen(FreePort.Next()));
        await using var one = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(here));
        await using var two = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(there));

        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(
            () => caller.Bus.SubscribeAsync(
                new RequestTopic<string, string>($"test.mine.{i}"), (input, _) => Task.FromResult(input))))).InTime();
        await Failsafe.UntilAsync(
            async () => (await caller.Bus.ListNodesAsync()).Count(n => n.Subscriptions.Any(s => s.Pattern == "test.ask")) == 2);
        await caller.Bus.SubscribeAsync(Ask, (input, _) => Task.FromResult(input)).InTime();

        Assert.That(most, Is.EqualTo(1));
        Assert.That(made.Max(b => b.Endpoints.Length), Is.EqualTo(3));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_balancer_without_endpoints_is_named_with_its_exception(bool isFactory)
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input).AddHandler(News, (_, _) => { }, o => o.Group = "workers"), Listen(port));
        await using var caller = await CallerAsync(
            _ => isFactory ? throw new NotSupportedException(
                "It is broken.") : new Scripted { OnUpdate = _ => throw new NotSupportedException("It is broken.") }, port);

        var reply = await caller.Bus.TryRequestAsync(Ask, "").InTime();
        var sent = await caller.Bus.SignalAsync(News, "").InTime();

        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(reply.Failure.Message, Is.EqualTo(
            "No node was chosen for 'test.ask': the balancer 'Own' threw NotSupportedException: It is broken. " +
            "Fix the balancer or choose another in ServiceMesh:Http:Services:NAME:Balancer."));
        Assert.That(sent.Failures, Is.EqualTo(["Group 'workers': the balancer 'Own' threw NotSupportedException: It is broken"]));
        Assert.That(caller.Log.Has(LogLevel.Error, "The balancer Own of 'test.news, group workers' threw at an update"), Is.True);
    }

    [Test]
    public async Task A_balancer_that_throws_later_keeps_its_endpoints()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(port));
        await using var caller = await CallerAsync(
            _ =>
            {
                var updates = 0;
                return new Scripted { OnUpdated = _ => updates += updates == 0 ? 1 : throw new NotSupportedException("It is broken.") };
            },
            port, Listen(FreePort.Next()));

        await caller.Bus.SubscribeAsync(new RequestTopic<string, string>("test.mine"), (input, _) => Task.FromResult(input)).InTime();

        Assert.That(caller.Log.Has(LogLevel.Error, "The balancer Own of 'test.ask' threw at an update"), Is.True);
        Assert.That(await caller.Bus.RequestAsync(Ask, "still").InTime(), Is.EqualTo("still"));
    }

    [Test]
    public async Task A_pick_that_throws_is_logged_once_and_the_first_endpoint_is_used()
    {
        var port = FreePort.Next();
        await using var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input).AddHandler(News, (_, _) => { }, o => o.Group = "workers"), Listen(port));
        await using var caller = await CallerAsync(
            _ => new Scripted { OnPick = () => throw new NotSupportedException("It is broken.") }, port);

        for (var i = 0; i < 3; i++)
        {
            Assert.That(await caller.Bus.RequestAsync(Ask, "still").InTime(), Is.EqualTo("still"));
        }

        Assert.That((await caller.Bus.SignalAsync(News, "").InTime()).Receivers, Is.EqualTo(1));
        Assert.That(
            caller.Log.Lines.Count(l => l.Contains("The balancer Own of 'test.ask' threw at a pick", StringComparison.Ordinal)),
            Is.EqualTo(1));
    }

    [Test]
    public async Task An_endpoint_that_the_routes_do_not_know_yet_is_called()
    {
        var (before, after) = (FreePort.Next(), FreePort.Next());
        await using var old = await StartServerAsync(before);
        await using var young = await StartServerAsync(after);
        using var open = new ManualResetEventSlim();
        using var entered = new SemaphoreSlim(0);
        var balancer = new Scripted
        {
            Favourite = after,
            OnUpdated = endpoints =>
            {
                if (endpoints.Any(e => e.Address.Port == after))
                {
                    entered.Release();
                    open.Wait(TimeSpan.FromSeconds(30));
                }
            },
        };
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, $$"""[{ "host": "127.0.0.1", "port": {{before}} }]""");
            await using var caller = await HttpNodes.StartAsync(
                mesh => mesh.AddBalancer("Own", _ => balancer),
                (
                    "Http:Services:web:Address",
                    $"file:{file}"), ("Http:Services:web:Topics:test.ask", "/ask"), ("Http:Services:web:Balancer", "Own"));
            Assert.That(await caller.Bus.RequestAsync(Ask, "").InTime(), Is.EqualTo($"{before}"));

            await File.WriteAllTextAsync(file, $$"""[{ "host": "127.0.0.1", "port": {{after}} }]""");
            await entered.WaitAsync().InTime();

            // The routes wait for the end of the update, and the balancer chooses the new endpoint already.
            var reply = await caller.Bus.TryRequestAsync(Ask, "").InTime();
            open.Set();
            Assert.That(reply.Value, Is.EqualTo($"{after}"), reply.Failure?.Message);
        }
        finally
        {
            open.Set();
            File.Delete(file);
        }
    }

    private static Task<TestNode> CallerAsync(
        Func<BalancerContext,
        IBalancer> make,
        int port,
        params (string Key, string Value)[] settings) => CallerAsync(make, [port], settings);

    private static Task<TestNode> CallerAsync(
        Func<BalancerContext, IBalancer> make, int[] ports, params (string Key, string Value)[] settings) => StartAsync(
        mesh => mesh.AddBalancer("Own", make), [Service("servers", ports), ("Http:Services:servers:Balancer", "Own"), .. settings]);

    private static async Task<WebApplication> StartServerAsync(int port)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var app = builder.Build();
        app.MapPost("/ask", () => Results.Json($"{port}"));
        await app.StartAsync();
        return app;
    }

    /// <summary>Takes its favourite or the last endpoint that it was told of, and does what the test wants besides.</summary>
    private sealed class Scripted : IBalancer
    {
        public Action<ImmutableArray<Endpoint>> OnUpdate { get; init; } = _ => { };

        public Action<ImmutableArray<Endpoint>> OnUpdated { get; init; } = _ => { };

        public Action OnPick { get; init; } = () => { };

        public int Favourite { get; init; }

        public ImmutableArray<Endpoint> Endpoints { get; private set; } = [];

        public void Update(ImmutableArray<Endpoint> endpoints)
        {
            OnUpdate(endpoints);
            Endpoints = endpoints;
            OnUpdated(endpoints);
        }

        public Endpoint? Pick(in PickContext context)
        {
            OnPick();
            return Endpoints.FirstOrDefault(e => e.Address.Port == Favourite) ?? Endpoints[^1];
        }
    }
}
