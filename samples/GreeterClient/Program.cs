#region caller
using Greeting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh;

var app = Host.CreateApplicationBuilder(args);
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport();
using var host = app.Build();
await host.StartAsync();

var bus = host.Services.GetRequiredService<IServiceBus>();
Console.WriteLine(await bus.RequestAsync(Greetings.Greet, "Pune"));

await host.StopAsync();
#endregion
