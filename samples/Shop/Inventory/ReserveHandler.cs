using System.Collections.Concurrent;
using ServiceMesh;

namespace Shop;

#region handler
/// <summary>The articles in stock: a singleton, because each message has a handler of its own.</summary>
public sealed class Stock
{
    private readonly ConcurrentDictionary<string, int> _left = new() { ["lamp"] = 10, ["table"] = 2 };

    public int Take(string article, int count) => _left.AddOrUpdate(
        article,
        _ => throw new ReplyException(StatusCode.NotFound, $"There is not an article '{article}'."),
        (_, left) => left >= count ? left - count : throw new ReplyException((StatusCode)409, $"Of '{article}' {left} are left."));
}

public sealed class ReserveHandler(Stock stock) : IRequestHandler<Order, int>
{
    public Task<int> HandleAsync(Order request, HandlerContext context) => Task.FromResult(stock.Take(request.Article, request.Count));
}
#endregion
