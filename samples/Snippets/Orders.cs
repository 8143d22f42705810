using ServiceMesh;

namespace Snippets;

/// <summary>Twelve compositions as applications have them. The document shows each.</summary>
public static class Orders
{
    #region compensation
    // Each step undoes the ones before it when it fails, and the order fails as that step did.
    private static readonly Composition<Order, Receipt> s_place =
        Shop.Reserve
        | Shop.Charge.Recover(failure => Shop.Release.AndAnd(Compose.Fail(failure)))
        | Shop.Ship.Recover(failure => Shop.Refund.AndAnd(Shop.Release).AndAnd(Compose.Fail(failure)));
    #endregion

    #region prices
    // All suppliers at once, half a second each. The cheapest of those that answered; a failure when none did.
    private static readonly Composition<string, Price> s_cheapest =
        Compose.Settle(Shop.North.Within(TimeSpan.FromSeconds(0.5)), Shop.South.Within(TimeSpan.FromSeconds(0.5)))
            .Pipe(Cheapest, "cheapest");

    private static Price Cheapest(Reply<Price>[] replies) =>
        replies.Where(reply => reply.IsSuccess).Select(reply => reply.GetValueOrThrow()).MinBy(price => price.Amount)
        ?? throw new ReplyException((StatusCode)424, "No supplier told a price.");
    #endregion

    #region cache
    // The cache, or else the database; what the database had is signalled to the services that keep the cache.
    private static readonly Composition<string, string> s_article = Shop.Cached.OrOr(Shop.Stored.Tee(Shop.Loaded));
    #endregion

    #region partial
    // A page with what there is: a section that fails is left out.
    private static readonly Composition<string, string> s_page =
        Compose.Settle(Shop.Stored, Shop.Reviews, Shop.Offers)
            .Pipe(sections => string.Join('\n', sections.Where(s => s.IsSuccess).Select(s => s.GetValueOrThrow())), "page");
    #endregion

    #region map
    // A price for each line of the order, four at a time, and their sum.
    private static readonly Composition<Order, double> s_total =
        Compose.Lambda((Order order) => order.Lines, "lines")
        | Shop.PriceOf.Each(maxConcurrency: 4)
        | Compose.Lambda((double[] prices) => prices.Sum(), "sum");
    #endregion

    #region branch
    private static readonly Composition<Order, Receipt> s_ship =
        Compose.Choose((Order order) => order.Customer.StartsWith("abroad", StringComparison.Ordinal) ? Shop.ShipAbroad : Shop.Ship);
    #endregion

    #region retry
    // Three attempts, 100 and 200 ms apart. The charge is repeated only when it was refused: it may not run twice. The release is
    // idempotent, so it is repeated after a timeout too.
    private static readonly Composition<Order, Order> s_charge = Shop.Charge.Retry(3, TimeSpan.FromMilliseconds(100));
    private static readonly Composition<Order, Unit> s_release =
        Shop.Release.Within(TimeSpan.FromSeconds(1)).Retry(3, TimeSpan.FromMilliseconds(100));
    #endregion

    #region timeout
    // Reviews have 200 ms; without them the page goes on.
    private static readonly Composition<string, string> s_reviews =
        Shop.Reviews.Within(TimeSpan.FromMilliseconds(200)).Recover(
            failure => failure.Kind == FailureKind.TimedOut ? Compose.Lambda((string _) => "Reviews come later.") : null);
    #endregion

    #region tee
    // Each subscriber hears of the shipment. The receipt is the result, with or without subscribers.
    private static readonly Composition<Order, Receipt> s_tell = Shop.Ship.Tee(Shop.Shipped);
    #endregion

    #region race
    // The first of two suppliers that answers; the other one is cancelled.
    private static readonly Composition<string, Price> s_fastest = Compose.Race(Shop.North, Shop.South);
    #endregion

    #region enrich
    // Two answers of different types at once, and the order beside them.
    private static readonly Composition<Order, string> s_summary =
        Compose.Both(Compose.Lambda((Order order) => order.Customer, "customer") | Shop.CustomerOf, s_total)
            .Keep()
            .Pipe(all => $"{all.Output.First} orders {all.Input.Lines.Length} articles for {all.Output.Second}", "summary");
    #endregion

    #region step
    // As many pages as there are, while more than a second remains.
    private static readonly Composition<string, string[]> s_all = Compose.Step(
        async (string first, StepContext step) =>
        {
            List<string> articles = [];
            for (string? next = first; next is not null && step.Remaining > TimeSpan.FromSeconds(1);)
            {
                Page page = await step.ExecuteAsync(Shop.Articles.Retry(3), next);
                articles.AddRange(page.Articles);
                next = page.Next;
            }

            return articles.ToArray();
        },
        "all pages");
    #endregion

    public static Composition<Order, Receipt> Place => s_place;

    public static Composition<string, Price> CheapestPrice => s_cheapest;

    public static Composition<string, string> Article => s_article;

    public static Composition<string, string> ArticlePage => s_page;

    public static Composition<Order, double> Total => s_total;

    public static Composition<Order, Receipt> Ship => s_ship;

    public static Composition<Order, Order> Charge => s_charge;

    public static Composition<Order, Unit> Release => s_release;

    public static Composition<string, string> ReviewsInTime => s_reviews;

    public static Composition<Order, Receipt> Tell => s_tell;

    public static Composition<string, Price> Fastest => s_fastest;

    public static Composition<Order, string> Summary => s_summary;

    public static Composition<string, string[]> AllArticles => s_all;
}
