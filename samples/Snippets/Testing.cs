using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;
using ServiceMesh.Testing;

namespace Snippets;

/// <summary>What a class under test sends: an order is reserved, charged and told.</summary>
public sealed class OrderDesk(IServiceBus bus)
{
    public async Task<bool> OrderAsync(Order order, CancellationToken cancellationToken)
    {
        var charged = await bus.TryExecuteAsync(Shop.Reserve | Shop.Charge, order, cancellationToken);
        if (charged.IsSuccess)
        {
            await bus.SignalAsync(Shop.Shipped, new Receipt(order.Id, "on its way"), cancellationToken);
        }

        return charged.IsSuccess;
    }
}

/// <summary>A handler under test.</summary>
public sealed class NorthHandler : IRequestHandler<string, Price>
{
    public async Task<Price> HandleAsync(string request, HandlerContext context)
    {
        var rest = RequestOptions.Within(context);
        var name = await context.Bus.RequestAsync(Shop.Stored, request, rest, context.CancellationToken);
        context.ReplyHeaders = Headers.Of(("tenant", context.Headers["tenant"] ?? "none"));
        return new(name, 12.5);
    }
}

public static class Testing
{
    private static readonly Order s_order = new("o1", "Asha", [new("lamp", 2)], 50);

    public static async Task<double> HostAsync()
    {
        #region host
        await using var mesh = await MeshTestHost.StartAsync(
            bus => bus.AddHandler(Shop.North, (article, _) => new Price("north", 12.5)));
        var price = await mesh.Bus.RequestAsync(Shop.North, "lamp");
        #endregion
        return price.Amount;
    }

    public static async Task<bool> SeveralAsync()
    {
        #region several
        var network = new InMemoryNetwork();
        await using var north = await MeshTestHost.StartAsync(
            bus => bus.AddHandler(Shop.North, (article, _) => new Price("north", 12.5)), new() { Network = network });
        await using var south = await north.JoinAsync(bus => bus.AddHandler(Shop.South, (article, _) => new Price("south", 11)));
        await using var caller = await MeshTestHost.StartAsync(options: new() { Network = network });
        #endregion
        return (await caller.Bus.RequestAsync(Shop.North, "lamp")).Amount > (await caller.Bus.RequestAsync(Shop.South, "lamp")).Amount;
    }

    public static async Task<bool> RecordingAsync(CancellationToken cancellationToken)
    {
        #region recording
        await using var bus = new RecordingBus()
            .Answer(Shop.Reserve, order => order)
            .Answer(Shop.Charge, order => order with { Total = 45 });

        var isOrdered = await new OrderDesk(bus).OrderAsync(s_order, cancellationToken);

        bus.Sent.AssertOne(Shop.Charge, order => order.Id == "o1");
        #endregion
        #region sent
        Receipt receipt = bus.Sent.AssertOne(Shop.Shipped, r => r.OrderId == "o1");
        bus.Sent.AssertCount(0, Shop.Refund);
        await bus.Sent.WaitForAsync(Shop.Shipped);      // for code that sends in the background
        #endregion
        return isOrdered && receipt.Text.Length > 0;
    }

    public static async Task<bool> FailuresAsync(CancellationToken cancellationToken)
    {
        await using var bus = new RecordingBus().Answer(Shop.Reserve, order => order).Answer(Shop.Charge, order => order);
        #region failures
        bus.Failures.TimesOut(Shop.Charge, times: 1);

        var isOrdered = await new OrderDesk(bus).OrderAsync(s_order, cancellationToken);

        bus.Sent.AssertCount(0, Shop.Shipped);
        #endregion
        return isOrdered;
    }

    public static async Task<string?> ContextAsync()
    {
        #region context
        var bus = new RecordingBus().Answer(Shop.Stored, article => $"stored {article}");
        var context = new TestHandlerContext(
            Shop.North.Topic, headers: Headers.Of(("tenant", "asha")), remaining: TimeSpan.FromSeconds(1), bus: bus);

        Price price = await new NorthHandler().HandleAsync("lamp", context);

        bus.Sent.AssertOne(Shop.Stored);
        #endregion
        return price.Supplier == "stored lamp" ? context.ReplyHeaders["tenant"] : null;
    }

    public static void Replace(IServiceCollection services, List<Receipt> shipped)
    {
        #region replace
        services.ReplaceHandler(Shop.North, (article, _) => new Price("a fake", 1));      // instead of the application's
        services.ReplaceHandler(Shop.Shipped, (receipt, _) => shipped.Add(receipt));
        services.RemoveHandlers(Shop.South);                                              // one topic
        #endregion
    }

    public static void Remove(IServiceCollection services)
    {
        #region remove
        services.RemoveHandlers();                        // all handlers of the bus without a name
        services.RemoveHandlers(bus: "orders");           // all handlers of the bus 'orders'
        #endregion
    }
}
