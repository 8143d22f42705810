#region api
using ServiceMesh;
using Shop;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport();

var app = builder.Build();
app.UseServiceMeshProblemDetails();
app.MapPost("/orders", async (Order order, IServiceBus bus, CancellationToken cancellationToken) =>
{
    await bus.RequestAsync(ShopTopics.Reserve, order, cancellationToken);
    var total = await bus.RequestAsync(ShopTopics.Price, order, cancellationToken);
    var receipt = new Receipt(order.Article, order.Count, total);
    await bus.SignalAsync(ShopTopics.Ordered, receipt, cancellationToken);
    return receipt;
});
app.Run();
#endregion
