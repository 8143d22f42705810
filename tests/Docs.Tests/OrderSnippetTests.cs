using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;
using Snippets;

namespace ServiceMesh.Docs.Tests;

/// <summary>The compositions of the document do what it says.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class OrderSnippetTests
{
    private static readonly Order s_order = new("7", "ann", [new("pen", 2), new("ink", 1)], 9);

    private readonly ConcurrentQueue<string> _ran = new();
    private readonly ConcurrentDictionary<string, ReplyException> _failing = new();
    private readonly TaskCompletionSource<string> _signal = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [TestCase(null, null, "stock.reserve payment.charge delivery.ship")]
    [TestCase("stock.reserve", 409, "stock.reserve")]
    [TestCase("payment.charge", 402, "stock.reserve payment.charge stock.release")]
    [TestCase("delivery.ship", 410, "stock.reserve payment.charge delivery.ship payment.refund stock.release")]
    public async Task An_order_that_fails_undoes_what_was_done(string? failing, int? status, string ran)
    {
        await using var node = await StartAsync();
        if (failing is not null)
        {
            _failing[failing] = new((StatusCode)status!, "Not today.");
        }

        var reply = await node.Bus.TryExecuteAsync(Orders.Place, s_order, Token);
        Assert.That(((int)reply.Status, reply.Failure?.Step), Is.EqualTo((status ?? 200, failing)));
        Assert.That(string.Join(' ', _ran), Is.EqualTo(ran));
    }

    [Test]
    public async Task The_cheapest_of_the_suppliers_that_answered_wins()
    {
        await using var node = await StartAsync();
        Assert.That((await node.Bus.ExecuteAsync(Orders.CheapestPrice, "pen", Token)).Supplier, Is.EqualTo("south"));
        _failing["supplier.south"] = new((StatusCode)404, "Not here.");
        Assert.That((await node.Bus.ExecuteAsync(Orders.CheapestPrice, "pen", Token)).Supplier, Is.EqualTo("north"));
        _failing["supplier.north"] = new((StatusCode)404, "Not here.");
        Assert.That((int)(await node.Bus.TryExecuteAsync(Orders.CheapestPrice, "pen", Token)).Status, Is.EqualTo(424));
        Assert.That((int)(await node.Bus.TryExecuteAsync(Orders.Fastest, "pen", Token)).Status, Is.EqualTo(404));
        _failing.Clear();
        Assert.That((await node.Bus.ExecuteAsync(Orders.Fastest, "pen", Token)).Supplier, Is.AnyOf("north", "south"));
    }

    [Test]
    public async Task A_cache_that_misses_falls_back_to_the_database_and_is_told()
    {
        await using var node = await StartAsync();
        Assert.That(await node.Bus.ExecuteAsync(Orders.Article, "pen", Token), Is.EqualTo("article.cached pen"));
        _failing["article.cached"] = new((StatusCode)404, "Not cached.");
        Assert.That(await node.Bus.ExecuteAsync(Orders.Article, "pen", Token), Is.EqualTo("article.stored pen"));
        Assert.That(await _signal.Task.WaitAsync(TimeSpan.FromSeconds(30), Token), Is.EqualTo("article.stored pen"));
    }

    [Test]
    public async Task A_page_leaves_out_the_section_that_fails()
    {
        await using var node = await StartAsync();
        _failing["page.reviews"] = new((StatusCode)500, "Broken.");
        Assert.That(await node.Bus.ExecuteAsync(Orders.ArticlePage, "pen", Token), Is.EqualTo("article.stored pen\npage.offers pen"));
    }

    [Test]
    public async Task Lines_are_priced_and_summed_and_shown_beside_the_order()
    {
        await using var node = await StartAsync();
        Assert.That(await node.Bus.ExecuteAsync(Orders.Total, s_order, Token), Is.EqualTo(6));
        Assert.That(await node.Bus.ExecuteAsync(Orders.Summary, s_order, Token), Is.EqualTo("customer.name ann orders 2 articles for 6"));
    }

    [Test]
    public async Task A_branch_is_chosen_by_the_order()
    {
        await using var node = await StartAsync();
        await node.Bus.ExecuteAsync(Orders.Ship, s_order, Token);
        await node.Bus.ExecuteAsync(Orders.Ship, s_order with { Customer = "abroad/bob" }, Token);
        Assert.That(_ran, Is.EqualTo(["delivery.ship", "delivery.abroad"]));
    }

    [Test]
    public async Task A_charge_that_may_have_run_is_not_repeated_and_a_release_is()
    {
        await using var node = await StartAsync();
        _failing["payment.charge"] = _failing["stock.release"] = new(StatusCode.Unavailable, "Busy.");
        await node.Bus.TryExecuteAsync(Orders.Charge, s_order, Token);
        await node.Bus.TryExecuteAsync(Orders.Release, s_order, Token);
        Assert.That(_ran, Is.EqualTo(["payment.charge", "stock.release", "stock.release", "stock.release"]));
    }

    [Test]
    public async Task Reviews_that_take_too_long_come_later()
    {
        await using var node = await StartAsync(mesh => mesh.AddHandler(Shop.Reviews, async (name, context) =>
        {
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return name;
        }));
        Assert.That(await node.Bus.ExecuteAsync(Orders.ReviewsInTime, "pen", Token), Is.EqualTo("Reviews come later."));
    }

    [Test]
    public async Task A_shipment_is_told_by_a_signal()
    {
        await using var node = await StartAsync();
        Assert.That((await node.Bus.ExecuteAsync(Orders.Tell, s_order, Token)).OrderId, Is.EqualTo("7"));
        Assert.That(await _signal.Task.WaitAsync(TimeSpan.FromSeconds(30), Token), Is.EqualTo("shipped 7"));
    }

    [Test]
    public async Task All_pages_are_read()
    {
        await using var node = await StartAsync();
        Assert.That(await node.Bus.ExecuteAsync(Orders.AllArticles, "1", Token), Is.EqualTo(["article 1", "article 2", "article 3"]));
    }

    private Task<TestNode> StartAsync(Action<IServiceMeshBuilder>? reviews = null) => TestNode.StartAsync(mesh =>
    {
        mesh.AddInMemoryTransport()
            .AddHandler(Shop.Reserve, (order, context) => Run(context, order))
            .AddHandler(Shop.Release, (_, context) => Run(context, Unit.Value))
            .AddHandler(Shop.Charge, (order, context) => Run(context, order))
            .AddHandler(Shop.Refund, (_, context) => Run(context, Unit.Value))
            .AddHandler(Shop.Ship, (order, context) => Run(context, new Receipt(order.Id, "sent")))
            .AddHandler(Shop.ShipAbroad, (order, context) => Run(context, new Receipt(order.Id, "sent far")))
            .AddHandler(Shop.North, (_, context) => Run(context, new Price("north", 3)))
            .AddHandler(Shop.South, (_, context) => Run(context, new Price("south", 2)))
            .AddHandler(Shop.Cached, (name, context) => Run(context, $"{context.Topic} {name}"))
            .AddHandler(Shop.Stored, (name, context) => Run(context, $"{context.Topic} {name}"))
            .AddHandler(Shop.Offers, (name, context) => Run(context, $"{context.Topic} {name}"))
            .AddHandler(Shop.PriceOf, (line, context) => Run(context, line.Count * 2.0))
            .AddHandler(Shop.CustomerOf, (name, context) => Run(context, $"{context.Topic} {name}"))
            .AddHandler(Shop.Articles, (number, context) => Run(context, new Page([$"article {number}"], number switch
            {
                "1" => "2",
                "2" => "3",
                _ => null,
            })))
            .AddHandler(Shop.Loaded, (text, _) => _signal.TrySetResult(text))
            .AddHandler(Shop.Shipped, (receipt, _) => _signal.TrySetResult($"shipped {receipt.OrderId}"));
        (reviews ?? (m => m.AddHandler(Shop.Reviews, (name, context) => Run(context, $"{context.Topic} {name}"))))(mesh);
    });

    private T Run<T>(HandlerContext context, T value)
    {
        var topic = context.Topic.ToString();
        _ran.Enqueue(topic);
        return _failing.TryGetValue(topic, out var failure) ? throw failure : value;
    }
}
