using ServiceMesh;

namespace Shop;

#region contracts
public sealed record Order(string Article, int Count);

public sealed record Receipt(string Article, int Count, decimal Total);

public static class ShopTopics
{
    // The inventory answers with the articles that are left.
    public static readonly RequestTopic<Order, int> Reserve = new("inventory.reserve");

    public static readonly RequestTopic<Order, decimal> Price = new("billing.price") { IsIdempotent = true };

    public static readonly SignalTopic<Receipt> Ordered = new("orders.ordered");
}
#endregion
