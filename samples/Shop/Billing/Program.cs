#region service
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop;

// The settings stand beside the program, wherever it is started.
var app = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppContext.BaseDirectory });
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport()
    .AddHandler(ShopTopics.Price, (order, _) => order.Count * 25.00m)
    .AddHandler(ShopTopics.Ordered, (receipt, _) => Console.WriteLine($"Bill {receipt.Total} for {receipt.Count} x {receipt.Article}"));
app.Build().Run();
#endregion
