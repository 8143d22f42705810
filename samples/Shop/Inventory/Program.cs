#region service
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shop;

// The settings stand beside the program, wherever it is started.
var app = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppContext.BaseDirectory });
app.Services.AddSingleton<Stock>();
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport()
    .AddHandler<ReserveHandler>(ShopTopics.Reserve);
app.Build().Run();
#endregion
