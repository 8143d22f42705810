using Contracts;
using Mesh.Service1;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

// The settings stand beside the program, wherever it is started.
var app = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings
{
    Args = args,
    ContentRootPath = AppContext.BaseDirectory,
});
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport()
    .AddHandler<GreetHandler>(GreetingTopics.Greet);
app.Build().Run();
