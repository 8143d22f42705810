using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class ReplaceHandlerTests
{
    [Test]
    public async Task A_fake_answers_in_place_of_the_handler()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(Ask, (input, _) => $"real {input}")
            .AddHandler(Other, (input, _) => $"real {input}")
            .Services.ReplaceHandler(Ask, (input, _) => $"fake {input}"));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("fake a"));
        Assert.That(await mesh.Bus.RequestAsync(Other, "a"), Is.EqualTo("real a"), "another topic");
    }

    [Test]
    public async Task A_fake_may_wait()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(Ask, (input, _) => $"real {input}")
            .Services.ReplaceHandler(Ask, async (input, _) =>
            {
                await Task.Yield();
                return $"fake {input}";
            }));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("fake a"));
    }

    [Test]
    public async Task A_fake_that_only_throws_fails_as_a_handler()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(Ask, (input, _) => input)
            .Services.ReplaceHandler(Ask, (_, _) => throw new ReplyException((StatusCode)409, "It is taken.")));

        var reply = await mesh.Bus.TryRequestAsync(Ask, "a");

        Assert.That((reply.Status, reply.Failure!.Message), Is.EqualTo(((StatusCode)409, "It is taken.")));
    }

    [Test]
    public async Task A_class_of_the_test_takes_the_place_of_a_class()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler<Real>(Ask)
            .Services.ReplaceHandler<Fake>(Ask));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("fake a"));
    }

    [Test]
    public async Task A_fake_is_added_where_another_service_has_the_handler()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus.Services.ReplaceHandler(Ask, (input, _) => $"fake {input}"));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("fake a"));
    }

    [Test]
    public async Task A_fake_has_the_options_of_the_handler_before_it()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(Ask, (input, _) => input, options => (options.Group, options.MaxConcurrency, options.MaxQueued) = ("elders", 1, 0))
            .Services.ReplaceHandler(Ask, async (input, context) =>
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
                return input;
            }));
        using var gone = new CancellationTokenSource();
        var first = mesh.Bus.TryRequestAsync(Ask, "a", gone.Token);

        var second = await mesh.Bus.TryRequestAsync(Ask, "b");
        await gone.CancelAsync();

        Assert.That(second.Status, Is.EqualTo(StatusCode.Overloaded), "one at a time, and no queue");
        Assert.That(mesh.Bus.DescribeNode().Subscriptions.Single(s => s.Pattern == "testing.ask").Group, Is.EqualTo("elders"));
        Assert.That(() => first, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_fake_takes_the_place_of_the_handlers_of_all_groups()
    {
        var (real, fake) = (new List<string>(), new List<string>());
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(News, (text, _) => real.Add(text))
            .AddHandler(News, (text, _) => real.Add(text), options => options.Group = "mail")
            .Services.ReplaceHandler(News, (text, _) => fake.Add(text)));

        var sent = await mesh.Bus.SignalAsync(News, "a");
        await mesh.StopAsync(); // after the handlers have ended

        Assert.That(sent.Receivers, Is.EqualTo(1));
        Assert.That(fake, Is.EqualTo(["a"]));
        Assert.That(real, Is.Empty);
    }

    [Test]
    public async Task A_handler_of_a_pattern_that_matches_stays()
    {
        var (pattern, fake) = (new List<string>(), new List<string>());
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(AllNews, (text, _) => pattern.Add(text))
            .Services.ReplaceHandler(News, async (text, _) =>
            {
                await Task.Yield();
                fake.Add(text);
            }));

        await mesh.Bus.SignalAsync(News, "a");
        await mesh.StopAsync();

        Assert.That(pattern, Is.EqualTo(["a"]));
        Assert.That(fake, Is.EqualTo(["a"]));
    }

    [Test]
    public async Task A_handler_of_requests_stays_when_signals_of_its_topic_are_replaced()
    {
        var signals = new SignalTopic<string>("testing.ask");
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(Ask, (input, _) => $"real {input}")
            .AddHandler(signals, (_, _) => { })
            .Services.RemoveHandlers(signals));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("real a"));
        Assert.That((await mesh.Bus.SignalAsync(signals, "a")).Receivers, Is.Zero);
    }

    [Test]
    public async Task Handlers_of_one_topic_are_removed()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus
            .AddHandler(Ask, (input, _) => input)
            .AddHandler(Other, (input, _) => input)
            .Services.RemoveHandlers(Ask));

        Assert.That((await mesh.Bus.TryRequestAsync(Ask, "a")).Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That(await mesh.Bus.RequestAsync(Other, "a"), Is.EqualTo("a"));
    }

    [Test]
    public async Task All_handlers_of_one_bus_are_removed_and_those_of_another_stay()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus =>
        {
            bus.AddHandler(Ask, (input, _) => input).AddHandler(News, (_, _) => { });
            bus.Services.AddServiceMesh("orders").AddInMemoryTransport().AddHandler(Ask, (input, _) => $"orders {input}");
            bus.Services.RemoveHandlers();
        });

        Assert.That((await mesh.Bus.TryRequestAsync(Ask, "a")).Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That((await mesh.Bus.SignalAsync(News, "a")).Receivers, Is.Zero);
        var orders = mesh.Services.GetRequiredKeyedService<IServiceBus>("orders");
        Assert.That(await orders.RequestAsync(Ask, "a"), Is.EqualTo("orders a"));
    }

    [Test]
    public async Task A_fake_of_a_bus_with_a_name_leaves_the_other_bus_alone()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus =>
        {
            bus.AddHandler<Real>(Ask);
            bus.Services.AddServiceMesh("orders").AddInMemoryTransport().AddHandler<Real>(Ask);
            bus.Services.ReplaceHandler<Fake>(Ask, "orders");
        });

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("real a"));
        var orders = mesh.Services.GetRequiredKeyedService<IServiceBus>("orders");
        Assert.That(await orders.RequestAsync(Ask, "a"), Is.EqualTo("fake a"));
    }

    [TestCase("", "There is not a bus without a name")]
    [TestCase("orders", "There is not a bus 'orders'")]
    public void A_bus_that_was_not_added_is_named_with_what_to_do(string bus, string expected)
    {
        var services = new ServiceCollection();
        services.AddServiceMesh("billing");
        Action[] calls =
        [
            () => services.ReplaceHandler(Ask, (input, _) => input, bus),
            () => services.RemoveHandlers(bus),
            () => services.RemoveHandlers(Ask, bus),
            () => services.UseInMemoryTransport(new(), bus),
            () => services.AddMeshTesting(bus),
        ];

        foreach (var call in calls)
        {
            Assert.That(
                call, Throws.InvalidOperationException.With.Message.StartsWith(expected).And.Message.Contains("ConfigureTestServices"));
        }
    }

    internal sealed class Real : IRequestHandler<string, string>
    {
        public Task<string> HandleAsync(string request, HandlerContext context) => Task.FromResult($"real {request}");
    }

    internal sealed class Fake : IRequestHandler<string, string>
    {
        public Task<string> HandleAsync(string request, HandlerContext context) => Task.FromResult($"fake {request}");
    }
}
