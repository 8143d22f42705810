#region service
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop;

var app = Host.CreateApplicationBuilder(args);
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport()
    .AddHandler(ShopTopics.Price, (order, _) => order.Count * 25.00m)
    .AddHandler(ShopTopics.Ordered, (receipt, _) => Console.WriteLine($"Bill {receipt.Total} for {receipt.Count} x {receipt.Article}"));
app.Build().Run();
#endregion
