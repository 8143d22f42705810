using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;
using Snippets;

namespace ServiceMesh.Docs.Tests;

/// <summary>The code in the documents does what they say.</summary>
public sealed class SnippetRunTests
{
    private static readonly Reading s_coldest = new(1, "jan", 6, 11.5);
    private static readonly Reading s_hottest = new(1, "feb", 15, 31.5);

    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task The_host_of_the_readme_answers()
    {
        using var host = Hosting.Build([]);
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IServiceBus>();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(await Requests.AverageAsync(bus, "pune", Token), Is.EqualTo(21.25));
            Assert.That(await Requests.DescribeAsync(bus, "pune", Token), Is.EqualTo("4 readings"));
            Assert.That(await Requests.FetchQuicklyAsync(bus, "pune", Token), Has.Length.EqualTo(4));
            Assert.That(await Requests.TellAsync(bus, "hello", Token), Is.True);
            Assert.That(await Compositions.ColdestAsync(bus, "pune", Token), Is.EqualTo(s_coldest));
            Assert.That((await Requests.WhoIsAsync(bus, bus.DescribeNode().Id, Token)).Id, Is.EqualTo(bus.DescribeNode().Id));
        }

        await host.StopAsync(Token);
    }

    [Test]
    public async Task A_serializer_of_another_library_carries_bodies_and_refuses_others()
    {
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddBrotli().AddHandler<FetchHandler>(Weather.Fetch),
            [("Serializer", "Brotli")],
            AddStations);
        Assert.That(await node.Bus.RequestAsync(Weather.Fetch, "pune", Token), Has.Length.EqualTo(4));
        var brotli = new BrotliMessageSerializer(maxBytes: 100);
        Assert.That(() => brotli.Deserialize<Reading>("no"u8.ToArray()), Throws.TypeOf<MalformedBodyException>());
        Assert.That(brotli.Deserialize<string>(default), Is.Null);
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        brotli.Serialize(new string('x', 1000), output);
        Assert.That(
            () => brotli.Deserialize<string>(output.WrittenMemory), Throws.TypeOf<MalformedBodyException>(), "too large when decompressed");
    }

    [Test]
    public async Task The_code_about_tests_does_what_it_says()
    {
        var (services, shipped) = (new ServiceCollection(), new List<Receipt>());
        services.AddServiceMesh();
        services.AddServiceMesh("orders");
        Snippets.Testing.Replace(services, shipped);
        Snippets.Testing.Remove(services);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(await Snippets.Testing.HostAsync(), Is.EqualTo(12.5));
            Assert.That(await Snippets.Testing.SeveralAsync(), Is.True);
            Assert.That(await Snippets.Testing.RecordingAsync(Token), Is.True);
            Assert.That(await Snippets.Testing.FailuresAsync(Token), Is.False);
            Assert.That(await Snippets.Testing.ContextAsync(), Is.EqualTo("asha"));
        }
    }

    [Test]
    public void Breaking_changes_of_contracts_are_named()
    {
        using var host = Hosting.Build([]);
        using var file = new TemporaryFile(host.Services.GetServiceMeshContracts());
        Assert.That(EvolvingContracts.BreakingChanges(host, file.Path), Is.Empty);

        File.WriteAllText(file.Path, Contracts<OrderV1>());
        Assert.That(BreakingChanges<OrderV2>(), Is.Empty);
        Assert.That(
            BreakingChanges<OrderV3>(),
            Is.EqualTo(["shop.order: request.Colour: a required member was added; callers that do not send it are refused"]));

        static string Contracts<TOrder>()
        {
            using var host = Service<TOrder>();
            return host.Services.GetServiceMeshContracts();
        }

        string[] BreakingChanges<TOrder>()
        {
            using var host = Service<TOrder>();
            return [.. EvolvingContracts.BreakingChanges(host, file.Path).Select(c => c.ToString())];
        }

        static IHost Service<TOrder>()
        {
            var app = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            EvolvingContracts.AddStrictBus(app.Services).Configure(options => options.Contracts = ContractMatching.Compatible)
                .AddHandler(new RequestTopic<TOrder, int>("shop.order"), (_, _) => 1);
            return app.Build();
        }
    }

    [TestCase("Json")]
    [TestCase("MessagePack")]
    public async Task A_hierarchy_with_attributes_for_both_formats_travels_in_both(string serializer)
    {
        var turn = new RequestTopic<Shape, Shape>("shapes.turn");
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddMessagePack().AddHandler(turn, (shape, _) => shape), [("Serializer", serializer)]);
        Assert.That(await node.Bus.RequestAsync(turn, new Circle("red", 2), Token), Is.EqualTo(new Circle("red", 2)));
    }

    [Test]
    public async Task Failures_are_described_by_their_kinds()
    {
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandler<StrictFetchHandler>(Weather.Fetch), services: AddStations);
        await using var empty = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport());
        var strict = await node.Bus.TryRequestAsync(Weather.Fetch, "atlantis", Token);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(strict.Status, Is.EqualTo(StatusCode.NotFound));
            Assert.That(strict.Failure!.Kind, Is.EqualTo(FailureKind.HandlerFailed));
            Assert.That(await Requests.DescribeAsync(node.Bus, "atlantis", Token), Does.Contain("'atlantis'"));
            Assert.That(await Requests.FetchOrNothingAsync(node.Bus, "atlantis", Token), Is.Empty);
            Assert.That(await Requests.DescribeAsync(empty.Bus, "pune", Token), Is.EqualTo("the weather service is not running"));
            Assert.That(await Requests.FetchOrNothingAsync(empty.Bus, "pune", Token), Is.Empty);
        }
    }

    [Test]
    public async Task Every_form_behaves_as_its_row_in_the_table_says()
    {
        var quota = true;
        await using var node = await TestNode.StartAsync(
            mesh => AddWeather(mesh)
                .AddHandler(
                    Archive.CheckQuota, (_, _) => quota ? Unit.Value : throw new ReplyException((StatusCode)402, "No quota is left."))
                .AddHandler(Archive.Fetch, (_, _) => new[] { s_hottest })
                .AddHandler<ColdestHandler>(Archive.Coldest)
                .AddHandler(Archive.Search, (query, _) => new[] { s_coldest with { Month = query.Unit, Day = query.Limit } }),
            services: AddStations);
        var bus = node.Bus;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(await bus.ExecuteAsync(Compositions.Coldest, "pune", Token), Is.EqualTo(s_coldest));
            Assert.That(await bus.RequestAsync(Archive.Coldest, "pune", Token), Is.EqualTo(s_coldest));
            Assert.That(await bus.ExecuteAsync(Compositions.AndAnd, "pune", Token), Is.EqualTo([s_hottest]));
            Assert.That(await bus.ExecuteAsync(Compositions.WithinQuota, "pune", Token), Is.EqualTo([s_hottest]));
            Assert.That(await bus.ExecuteAsync(Compositions.OrOr, "pune", Token), Has.Length.EqualTo(4));
            Assert.That(await bus.ExecuteAsync(Compositions.OrOr, "atlantis", Token), Is.EqualTo([s_hottest]));
            Assert.That(await bus.ExecuteAsync(Compositions.FreshOrArchived, "atlantis", Token), Is.EqualTo([s_hottest]));
            Assert.That(await bus.ExecuteAsync(Compositions.Batch, "pune", Token), Has.Length.EqualTo(4));
            Assert.That((await bus.TryExecuteAsync(Compositions.Batch, "atlantis", Token)).Status, Is.EqualTo(StatusCode.NotFound));
            Assert.That(
                (await bus.ExecuteAsync(Compositions.Record, "atlantis", Token)).Select(r => r.Status),
                Is.EqualTo([StatusCode.Ok, StatusCode.NotFound]));
            Assert.That(await bus.ExecuteAsync(Compositions.Extremes, "pune", Token), Is.EqualTo([s_coldest, s_hottest]));
            Assert.That((await bus.ExecuteAsync(Compositions.Bounded, "pune", Token)).Select(r => r.Length), Is.EqualTo([4, 1, 4]));
            Assert.That(await bus.ExecuteAsync(Compositions.Spread, "pune", Token), Is.EqualTo(20));
            Assert.That(await bus.ExecuteAsync(Compositions.Lambda, "pune", Token), Is.EqualTo("11.5 degrees"));
            Assert.That((await bus.ExecuteAsync(Compositions.Merge, new ArchiveQuery("pune"), Token))[0].Month, Is.EqualTo("K"));
            Assert.That((await bus.ExecuteAsync(Compositions.Merge, new ArchiveQuery("pune"), Token))[0].Day, Is.EqualTo(100));
            Assert.That((await bus.ExecuteAsync(Compositions.InKelvin, new ArchiveQuery("pune"), Token))[0].Day, Is.EqualTo(1000));
            Assert.That(
                (await bus.ExecuteAsync(Compositions.Nested, "pune", Token)).SelectMany(r => r).Select(r => r.Degrees),
                Is.EqualTo([11.5, 29.0, 13.0, 31.5]));
            Assert.That(
                (await bus.ExecuteAsync(Compositions.Settled, "atlantis", Token)).Select(r => r.Status),
                Is.EqualTo([StatusCode.NotFound, StatusCode.Ok]));
            Assert.That(await bus.ExecuteAsync(Compositions.Raced, "atlantis", Token), Is.EqualTo([s_hottest]));
            Assert.That((await bus.ExecuteAsync(Compositions.Cities, ["pune", "pune"], Token)).Select(r => r.Length), Is.EqualTo([4, 4]));
            Assert.That(await bus.ExecuteAsync(Compositions.MinMax, [s_hottest, s_coldest], Token), Is.EqualTo((s_coldest, s_hottest)));
            Assert.That((await bus.ExecuteAsync(Compositions.WithCity, "pune", Token)).Input, Is.EqualTo("pune"));
            Assert.That(await bus.ExecuteAsync(Compositions.ByCity, "goa", Token), Is.EqualTo([s_hottest]));
            Assert.That(await bus.ExecuteAsync(Compositions.Recovered, "atlantis", Token), Is.EqualTo([s_hottest]));
            Assert.That((await bus.TryExecuteAsync(Compositions.Closed, "pune", Token)).Status, Is.EqualTo(StatusCode.Forbidden));
            Assert.That(await bus.ExecuteAsync(Compositions.Retried, "pune", Token), Has.Length.EqualTo(4));
            Assert.That(await bus.ExecuteAsync(Compositions.Quick, "pune", Token), Has.Length.EqualTo(4));
            Assert.That(await bus.ExecuteAsync(Compositions.OfTenant, "pune", Token), Has.Length.EqualTo(4));
            Assert.That(await bus.ExecuteAsync(Compositions.Logged, "pune", Token), Has.Length.EqualTo(4));
            Assert.That(await bus.ExecuteAsync(Compositions.ColdestEver, "pune", Token), Is.EqualTo(s_coldest));
        }

        quota = false;
        var refused = await bus.TryExecuteAsync(Compositions.AndAnd, "pune", Token);
        Assert.That(refused.Failure!.Step, Is.EqualTo("archive.quota"));
    }

    [Test]
    public async Task A_failed_parallel_form_keeps_the_successful_replies()
    {
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport()
            .AddHandler(Weather.Min, (readings, _) => readings[0]));
        Assert.That(await Compositions.WhatSucceededAsync(node.Bus, [s_coldest], Token), Is.EqualTo([s_coldest]));
    }

    [Test]
    public async Task A_resumed_pipe_runs_the_failed_step_and_not_the_one_before()
    {
        var (fetched, minimized) = (0, 0);
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport()
                .AddHandlerMiddleware<BusyAtFirst>()
                .AddHandler(Weather.Fetch, (_, _) =>
                {
                    fetched++;
                    return new[] { s_coldest };
                })
                .AddHandler(Weather.Min, (readings, _) =>
                {
                    minimized++;
                    return readings[0];
                }));
        var coldest = await Compositions.ColdestPatientlyAsync(node.Bus, "pune", Token);
        Assert.That((coldest, fetched, minimized), Is.EqualTo((s_coldest, 1, 1)));
    }

    [Test]
    public async Task A_subscriber_receives_signals_by_pattern_until_it_unsubscribes()
    {
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport());
        using var output = new SignallingWriter();
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var watching = Requests.WatchAsync(node.Bus, output, leave.Token);
        Assert.That(await Requests.TellAsync(node.Bus, "rain", Token), Is.True);
        Assert.That(await output.FirstLine.WaitAsync(TimeSpan.FromSeconds(10), Token), Is.EqualTo("weather.log: rain"));
        await leave.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => watching);
        Assert.That(await Requests.TellAsync(node.Bus, "sun", Token), Is.False);
    }

    [Test]
    public async Task Handlers_take_the_options_that_the_example_sets()
    {
        using var output = new SignallingWriter();
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddWeather(),
            services: s => AddStations(s.AddSingleton<TextWriter>(output)));
        await node.Bus.RequestAsync(Weather.Fetch, "pune", Token);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                await output.FirstLine.WaitAsync(TimeSpan.FromSeconds(10), Token), Does.StartWith("weather.log: 4 readings of pune"));
            Assert.That(node.Bus.DescribeNode().Subscriptions.Select(s => s.Group), Does.Contain("printers"));
        }
    }

    [Test]
    public async Task Only_requests_with_the_key_are_handled()
    {
        var network = new InMemoryNetwork();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddKey().AddHandler(Weather.Min, (readings, _) => readings[0]),
            services: s => s.AddSingleton(new MeshKey("sesame")).AddSingleton(TimeProvider.System));
        await using var friend = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddSendMiddleware<SendKey>(), services: s => s.AddSingleton(new MeshKey("sesame")));
        await using var stranger = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network));
        Assert.That(await friend.Bus.RequestAsync(Weather.Min, [s_coldest], Token), Is.EqualTo(s_coldest));
        var refused = await Assert.ThrowsAsync<RequestRejectedException>(() => stranger.Bus.RequestAsync(Weather.Min, [s_coldest], Token));
        Assert.That(refused!.Failure.Status, Is.EqualTo(StatusCode.Unauthorized));
    }

    [Test]
    public async Task A_slow_handler_leaves_a_log_line()
    {
        var clock = new FakeTimeProvider();
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandlerMiddleware<SlowHandlers>().AddHandler(Weather.Min, (readings, _) =>
            {
                clock.Advance(TimeSpan.FromSeconds(2));
                return readings[0];
            }),
            services: s => s.AddSingleton<TimeProvider>(clock));
        await node.Bus.RequestAsync(Weather.Min, [s_coldest], Token);
        Assert.That(node.Log.Lines, Has.Some.Contains("weather.min took 00:00:02"));
    }

    [Test]
    public async Task Errors_are_published_or_queued_by_the_policy()
    {
        using var output = new SignallingWriter();
        await using var publisher = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport().AddErrorPrinter(output));
        _ = await publisher.Bus.TryRequestAsync(Weather.Fetch, "pune", Token);
        Assert.That(await output.FirstLine.WaitAsync(TimeSpan.FromSeconds(10), Token), Does.Contain("404 weather.fetch"));

        var folder = Directory.CreateTempSubdirectory("docs-tests-");
        try
        {
            await using var queuer = await TestNode.StartAsync(
                mesh => mesh.AddInMemoryTransport(),
                [("ErrorPolicy", "Queue"), ("Errors:QueueFile", Path.Combine(folder.FullName, "errors.jsonl"))]);
            _ = await queuer.Bus.TryRequestAsync(Weather.Fetch, "pune", Token);
            Assert.That(async () => await queuer.ErrorQueue.CountAsync(Token), Is.EqualTo(1).After(10_000, 20));
            using var drained = new StringWriter(CultureInfo.InvariantCulture);
            await Errors.PrintAndRemoveAsync(queuer.ErrorQueue, drained, Token);
            Assert.That(drained.ToString(), Does.Contain("404 weather.fetch"));
            Assert.That(await queuer.ErrorQueue.CountAsync(Token), Is.Zero);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public async Task Two_nodes_on_one_network_form_one_mesh()
    {
        var (server, client) = Hosting.BuildTwoNodes();
        using (server)
        using (client)
        {
            await server.StartAsync(Token);
            await client.StartAsync(Token);
            Assert.That(
                await client.Services.GetRequiredService<IServiceBus>().RequestAsync(Weather.Fetch, "pune", Token), Has.Length.EqualTo(4));
            await client.StopAsync(Token);
            await server.StopAsync(Token);
        }
    }

    [Test]
    public async Task Two_buses_are_resolved_by_their_keys()
    {
        var builder = Host.CreateApplicationBuilder();
        Hosting.AddTwoBuses(builder);
        builder.Services.AddSingleton<Checkout>();
        Hosting.AddHealth(builder.Services);
        using var host = builder.Build();
        await host.StartAsync(Token);
        Assert.That(host.Services.GetRequiredService<Checkout>().Nodes, Is.Unique);
        await host.StopAsync(Token);
    }

    [Test]
    public async Task The_health_check_is_healthy_while_the_bus_runs()
    {
        await using var node = await TestNode.StartAsync(
            mesh => AddWeather(mesh.RequireMore().AddContracts()), services: s =>
            {
                AddStations(s);
                Hosting.AddHealth(s);
            });
        var report = await node.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(report.Entries["servicemesh"].Status, Is.EqualTo(HealthStatus.Healthy));
            Assert.That(await node.Bus.RequestAsync(Weather.Fetch, "pune", Token), Has.Length.EqualTo(4));
        }
    }

    [Test]
    public async Task The_loopback_transport_carries_requests_and_signals()
    {
        using var output = new SignallingWriter();
        await using var node = await TestNode.StartAsync(
            mesh => AddHandlers(mesh.AddLoopbackTransport().AddHandler<LogPrinter>(Weather.EveryLog)),
            [("Transport", "Loopback")],
            s => AddStations(s.AddSingleton<TextWriter>(output)));
        var unhandled = await node.Bus.TryRequestAsync(Archive.Fetch, "pune", Token);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var cancelled = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        await using var slow = await node.Bus.SubscribeAsync(Archive.Search, async (_, context) =>
        {
            context.CancellationToken.Register(cancelled.SetResult);
            entered.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
            return Array.Empty<Reading>();
        });
        var waiting = node.Bus.RequestAsync(Archive.Search, new ArchiveQuery("pune"), leave.Token);
        await entered.Task.WaitAsync(Token);
        await leave.CancelAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(unhandled.Failure?.Kind, Is.EqualTo(FailureKind.NoHandler));
            await Assert.CatchAsync<OperationCanceledException>(() => waiting);
            Assert.That(async () => await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10), Token), Throws.Nothing);
            Assert.That(await node.Bus.ExecuteAsync(Compositions.Extremes, "pune", Token), Is.EqualTo([s_coldest, s_hottest]));
            Assert.That((await node.Bus.SignalAsync(Weather.Log, "rain", Token)).Receivers, Is.EqualTo(1));
            Assert.That(await output.FirstLine.WaitAsync(TimeSpan.FromSeconds(10), Token), Does.StartWith("weather.log: "));
        }
    }

    private static IServiceMeshBuilder AddWeather(IServiceMeshBuilder mesh) => AddHandlers(mesh.AddInMemoryTransport());

    private static IServiceMeshBuilder AddHandlers(IServiceMeshBuilder mesh) => mesh
        .AddHandler<StrictFetchHandler>(Weather.Fetch)
        .AddHandler(Weather.Min, (readings, _) => readings.MinBy(r => r.Degrees)!)
        .AddHandler(Weather.Max, (readings, _) => readings.MaxBy(r => r.Degrees)!);

    private static void AddStations(IServiceCollection services) => services.AddScoped<IStations, Stations>();

    /// <summary>Refuses the first request for a minimum, like an overloaded node.</summary>
    private sealed class BusyAtFirst : IHandlerMiddleware
    {
        private int _asked;

        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next) =>
            context.Topic == Weather.Min.Topic && Interlocked.Increment(ref _asked) == 1
                ? new(ReplyMessage.Failure(StatusCode.Overloaded, "Busy.", notProcessed: true))
                : next(context);
    }

    /// <summary>Completes a task when the first line is written.</summary>
    private sealed class SignallingWriter : StringWriter
    {
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public SignallingWriter() : base(CultureInfo.InvariantCulture) { }

        public Task<string> FirstLine => _first.Task;

        public override Task WriteLineAsync(string? value)
        {
            _first.TrySetResult(value ?? "");
            return Task.CompletedTask;
        }

        public override Task WriteLineAsync(ReadOnlyMemory<char> buffer, CancellationToken cancellationToken = default) =>
            WriteLineAsync(buffer.ToString());
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
