using ServiceMesh;

namespace Snippets;

public sealed record Order(string Id, string Customer, OrderLine[] Lines, double Total);

public sealed record OrderLine(string Article, int Count);

public sealed record Receipt(string OrderId, string Text);

public sealed record Price(string Supplier, double Amount);

public sealed record Page(string[] Articles, string? Next);

/// <summary>The topics of a shop, for compositions as applications have them.</summary>
public static class Shop
{
    public static readonly RequestTopic<Order, Order> Reserve = new("stock.reserve");
    public static readonly RequestTopic<Order, Unit> Release = new("stock.release") { IsIdempotent = true };
    public static readonly RequestTopic<Order, Order> Charge = new("payment.charge");
    public static readonly RequestTopic<Order, Unit> Refund = new("payment.refund") { IsIdempotent = true };
    public static readonly RequestTopic<Order, Receipt> Ship = new("delivery.ship");
    public static readonly RequestTopic<Order, Receipt> ShipAbroad = new("delivery.abroad");
    public static readonly SignalTopic<Receipt> Shipped = new("delivery.shipped");

    public static readonly RequestTopic<string, Price> North = new("supplier.north");
    public static readonly RequestTopic<string, Price> South = new("supplier.south");

    public static readonly RequestTopic<string, string> Cached = new("article.cached") { IsIdempotent = true };
    public static readonly RequestTopic<string, string> Stored = new("article.stored") { IsIdempotent = true };
    public static readonly SignalTopic<string> Loaded = new("article.loaded");

    public static readonly RequestTopic<string, string> Reviews = new("page.reviews");
    public static readonly RequestTopic<string, string> Offers = new("page.offers");
    public static readonly RequestTopic<OrderLine, double> PriceOf = new("article.price");
    public static readonly RequestTopic<string, string> CustomerOf = new("customer.name");
    public static readonly RequestTopic<string, Page> Articles = new("article.page");
}
