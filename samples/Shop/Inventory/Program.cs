#region service
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop;

var app = Host.CreateApplicationBuilder(args);
app.Services.AddSingleton<Stock>();
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport()
    .AddHandler<ReserveHandler>(ShopTopics.Reserve);
app.Build().Run();
#endregion
