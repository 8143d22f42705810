using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Conformance;

/// <summary>
/// A handler never runs with half a value, and a caller never gets one: what does not match its type is refused, and the message says
/// what was found and what was expected. Names match without regard to case, and contracts can grow.
/// </summary>
public abstract class ContractTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly RequestTopic<Order, string> s_order = new("conformance.order");

    [Test]
    public async Task A_missing_member_is_400_and_the_handler_does_not_run()
    {
        var (caller, calls) = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Topic<RenamedOrder>(), new("x", 1));

        AssertRefused(reply, "$.Customer is missing; Order.Customer is a string and required");
        Assert.That(calls.All, Is.Empty);
        Assert.That(await caller.Bus.RequestAsync(s_order, new("y", 2)), Is.EqualTo("y 2"), "the node keeps serving");
    }

    [Test]
    public async Task Null_in_a_member_that_forbids_it_is_400_and_the_handler_does_not_run()
    {
        var (caller, calls) = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Topic<NullableOrder>(), new(null, 1));

        AssertRefused(reply, "$.Customer is null; Order.Customer is a string and not nullable");
        Assert.That(calls.All, Is.Empty);
    }

    [Test]
    public async Task A_member_of_another_type_is_400_and_the_message_says_which()
    {
        var (caller, calls) = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Topic<TextOrder>(), new("x", "topsecret"));

        AssertRefused(reply, "$.Amount is a string; Order.Amount is a 32-bit integer");
        Assert.That(reply.Failure?.Message, Does.Not.Contain("topsecret"));
        Assert.That(calls.All, Is.Empty);
    }

    [Test]
    public async Task Names_match_without_regard_to_case_in_requests_and_replies()
    {
        await StartAsync(mesh => mesh.AddHandler(new RequestTopic<Order, Order>("conformance.echo"), (order, _) => order));
        var caller = await StartAsync(_ => { });

        var topic = new RequestTopic<LowerCaseOrder, LowerCaseOrder>("conformance.echo");

        Assert.That(await caller.Bus.RequestAsync(topic, new("x", 1)), Is.EqualTo(new LowerCaseOrder("x", 1)));
    }

    [Test]
    public async Task An_unknown_member_is_ignored_unless_contracts_are_exact()
    {
        await StartAsync(mesh => mesh.AddHandler(s_order, Answer));
        await StartAsync(
            mesh => mesh.AddHandler(new RequestTopic<Order, string>("conformance.exact"), Answer), ("Contracts", "Exact"));
        var caller = await StartAsync(_ => { });

        Assert.That(await caller.Bus.RequestAsync(Topic<NewOrder>(), new("x", 1, "note")), Is.EqualTo("x 1"));

        var exact = new RequestTopic<NewOrder, string>("conformance.exact");
        AssertRefused(
            await caller.Bus.TryRequestAsync(exact, new("x", 1, "note")),
            "$.Note is unknown; Order does not have such a member, and Contracts is Exact");
    }

    [Test]
    public async Task Null_for_a_handler_that_forbids_it_is_400_and_passes_where_it_may_be_null()
    {
        await StartAsync(mesh => mesh
            .AddHandler(new RequestTopic<string, string>("conformance.text"), (string text, HandlerContext _) => text)
            .AddHandler(s_order, (order, _) => order.Customer)
            .AddHandler<TextHandler>(new RequestTopic<string, int>("conformance.class"))
            .AddHandler(new RequestTopic<string?, string>("conformance.perhaps"), (string? text, HandlerContext _) => text ?? "null"));
        var caller = await StartAsync(_ => { });

        AssertRefused(
            await caller.Bus.TryRequestAsync(new RequestTopic<string?, string>("conformance.text"), null),
            "The body is null; a string is expected.");
        AssertRefused(
            await caller.Bus.TryRequestAsync(new RequestTopic<Order?, string>("conformance.order"), null),
            "The body is null; a value (Order) is expected.");
        AssertRefused(
            await caller.Bus.TryRequestAsync(new RequestTopic<string?, int>("conformance.class"), null),
            "The body is null; a string is expected.");
        Assert.That(
            await caller.Bus.RequestAsync(new RequestTopic<string?, string>("conformance.perhaps"), null), Is.EqualTo("null"));
    }

    [Test]
    public async Task A_reply_that_the_caller_cannot_read_is_a_failure_that_says_so()
    {
        await StartAsync(mesh => mesh.AddHandler(
            new RequestTopic<string, NullableOrder>("conformance.find"), (_, _) => new NullableOrder(null, 1)));
        var caller = await StartAsync(_ => { });

        var reply = await caller.Bus.TryRequestAsync(new RequestTopic<string, Order>("conformance.find"), "x");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.HandlerFailed, (bool?)false)));
            Assert.That(reply.Failure?.Exception, Is.TypeOf<MalformedBodyException>());
            Assert.That(
                reply.Failure?.Message,
                Does.Contain("The handler answered, and this node cannot read the answer.")
                    .And.Contains("$.Customer is null; Order.Customer is a string and not nullable"));
        }
    }

    [Test]
    public async Task A_signal_that_does_not_match_is_not_handled()
    {
        var received = new Inbox<string>();
        var receiver = await StartAsync(mesh => mesh.AddHandler(
            new SignalTopic<Order>("conformance.ordered"), (order, _) => received.Put(order.Customer)));
        var sender = await StartAsync(_ => { });

        await sender.Bus.SignalAsync(new SignalTopic<RenamedOrder>("conformance.ordered"), new("bad", 1));
        await sender.Bus.SignalAsync(new SignalTopic<Order>("conformance.ordered"), new("good", 1));

        Assert.That(await received.NextAsync(), Is.EqualTo("good"));
        await StopAsync(receiver);
        Assert.That(received.All, Is.EqualTo(["good"]));
    }

    [Test]
    public async Task A_type_that_loses_data_is_refused_at_start_and_when_it_is_called()
    {
        var topic = new RequestTopic<string, Lossy>("conformance.lossy");
        Assert.That(
            async () => await StartAsync(mesh => mesh.AddHandler(topic, (_, _) => new Lossy())),
            Throws.TypeOf<NotSupportedException>()
                .With.Message.Contains("'conformance.lossy'").And.Message.Contains("Lossy has a").And.Message.Contains("'Items'"));
        var caller = await StartAsync(_ => { });

        Assert.That(async () => await caller.Bus.TryRequestAsync(topic, ""), Throws.TypeOf<NotSupportedException>());
        Assert.That(
            async () => await caller.Bus.SignalAsync(new SignalTopic<Lossy>("conformance.lossy"), new Lossy()),
            Throws.TypeOf<NotSupportedException>());
    }

    private async Task<(MeshNode Caller, Inbox<Order> Calls)> StartAsync()
    {
        var calls = new Inbox<Order>();
        await StartAsync(mesh => mesh.AddHandler(s_order, (order, context) =>
        {
            if (order.Customer != "y")
            {
                calls.Put(order);
            }

            return Answer(order, context);
        }));
        return (await StartAsync(_ => { }), calls);
    }

    private static RequestTopic<TOrder, string> Topic<TOrder>() => new("conformance.order");

    private static string Answer(Order order, HandlerContext context) => $"{order.Customer} {order.Amount}";

    private static void AssertRefused(Reply reply, string said)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That((reply.Status, reply.Failure?.Kind), Is.EqualTo((StatusCode.BadRequest, (FailureKind?)FailureKind.Rejected)));
            Assert.That(reply.Failure?.Message, Does.Contain(said));
            Assert.That(reply.Failure?.NotProcessed, Is.True);
        }
    }
}

/// <summary>What the handler of <see cref="ContractTests{TFactory}"/> expects.</summary>
public sealed record Order(string Customer, int Amount);

/// <summary>The same, with a member renamed on the caller's side only.</summary>
public sealed record RenamedOrder(string Client, int Amount);

/// <summary>The same, with a member that may be null.</summary>
public sealed record NullableOrder(string? Customer, int Amount);

/// <summary>The same, with a text for a number.</summary>
public sealed record TextOrder(string Customer, string Amount);

#pragma warning disable IDE1006, CA1708 // The test is about names in another case.
/// <summary>The same, with names in another case.</summary>
public sealed record LowerCaseOrder(string customer, int amount);
#pragma warning restore IDE1006, CA1708

/// <summary>A newer version.</summary>
public sealed record NewOrder(string Customer, int Amount, string Note);

/// <summary>A type that would arrive without its items.</summary>
public sealed class Lossy
{
    /// <summary>Travels.</summary>
    public int Number { get; set; }

    /// <summary>Cannot be read.</summary>
    public List<int> Items { get; } = [];
}

/// <summary>A class whose message must not be null.</summary>
public sealed class TextHandler : IRequestHandler<string, int>
{
    /// <inheritdoc/>
    public Task<int> HandleAsync(string request, HandlerContext context) => Task.FromResult(request.Length);
}
