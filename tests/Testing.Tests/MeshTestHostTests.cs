using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class MeshTestHostTests
{
    [Test]
    public async Task A_host_answers_what_it_was_given_handlers_for()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus.AddHandler(Ask, (input, _) => $"got {input}"));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "this"), Is.EqualTo("got this"));
    }

    [Test]
    public async Task Hosts_on_one_network_reach_each_other()
    {
        await using var first = await MeshTestHost.StartAsync(bus => bus.AddHandler(Ask, (input, _) => $"first {input}"));
        await using var second = await first.JoinAsync(bus => bus.AddHandler(Other, (input, _) => $"second {input}"));
        await using var third = await MeshTestHost.StartAsync(options: new() { Network = first.Network });

        Assert.That(await third.Bus.RequestAsync(Ask, "a"), Is.EqualTo("first a"));
        Assert.That(await first.Bus.RequestAsync(Other, "b"), Is.EqualTo("second b"));
        Assert.That(await third.Bus.ListNodesAsync(), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Hosts_on_networks_of_their_own_do_not_reach_each_other()
    {
        await using var first = await MeshTestHost.StartAsync(bus => bus.AddHandler(Ask, (input, _) => input));
        await using var second = await MeshTestHost.StartAsync();

        Assert.That((await second.Bus.TryRequestAsync(Ask, "a")).Status, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_host_that_stops_leaves_the_network()
    {
        await using var caller = await MeshTestHost.StartAsync();
        await using var service = await caller.JoinAsync(bus => bus.AddHandler(Ask, (input, _) => input));

        await service.StopAsync();

        Assert.That((await caller.Bus.TryRequestAsync(Ask, "a")).Status, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_deadline_passes_when_the_test_moves_the_clock()
    {
        var clock = new FakeTimeProvider();
        var entered = new TaskCompletionSource();
        await using var service = await MeshTestHost.StartAsync(
            bus => bus.AddHandler(Ask, async (input, context) =>
            {
                entered.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
                return input;
            }),
            new() { Clock = clock, Settings = new Dictionary<string, string?> { ["Request:Timeout"] = "01:00:00" } });

        var asking = service.Bus.TryRequestAsync(Ask, "a");
        await entered.Task.InTime();
        clock.Advance(TimeSpan.FromMinutes(59));
        Assert.That(asking.IsCompleted, Is.False);
        clock.Advance(TimeSpan.FromMinutes(2));

        Assert.That((await asking.InTime()).Status, Is.EqualTo(StatusCode.DeadlinePassed));
    }

    [Test]
    public async Task A_host_that_joins_has_the_same_clock()
    {
        var clock = new FakeTimeProvider();
        await using var first = await MeshTestHost.StartAsync(options: new() { Clock = clock });
        await using var second = await first.JoinAsync();

        Assert.That(second.Services.GetRequiredService<TimeProvider>(), Is.SameAs(clock));
    }

    [Test]
    public void A_wrong_setting_is_an_error_at_start_that_names_it() => Assert.That(
        () => MeshTestHost.StartAsync(options: new() { Settings = new Dictionary<string, string?> { ["Request:Timeuot"] = "00:00:01" } }),
        Throws.TypeOf<OptionsValidationException>().With.Message.Contains("ServiceMesh:Request:Timeuot"));

    [Test]
    public async Task Handlers_get_the_services_of_the_options()
    {
        await using var mesh = await MeshTestHost.StartAsync(
            bus => bus.AddHandler<Greeter>(Ask), new() { ConfigureServices = services => services.AddSingleton(new Greeting("Hello")) });

        Assert.That(await mesh.Bus.RequestAsync(Ask, "Asha"), Is.EqualTo("Hello, Asha"));
    }

    [Test]
    public async Task A_bus_with_a_name_is_recorded_and_fails_under_its_name()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus.AddHandler(Ask, (input, _) => input), new() { BusName = "orders" });
        await using var caller = await mesh.JoinAsync();
        caller.Failures.NotFound(Ask, times: 1);

        var failed = await caller.Bus.TryRequestAsync(Ask, "a");
        var answered = await caller.Bus.RequestAsync(Ask, "b");

        Assert.That(failed.Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That(answered, Is.EqualTo("b"));
        Assert.That(caller.Sent.To(Ask), Is.EqualTo(["a", "b"]));
        Assert.That(caller.Services.GetKeyedService<IServiceBus>("orders"), Is.SameAs(caller.Bus));
        Assert.That(caller.Services.GetService<IServiceBus>(), Is.Null);
    }

    internal sealed record Greeting(string Word);

    internal sealed class Greeter(Greeting greeting) : IRequestHandler<string, string>
    {
        public Task<string> HandleAsync(string request, HandlerContext context) => Task.FromResult($"{greeting.Word}, {request}");
    }
}
