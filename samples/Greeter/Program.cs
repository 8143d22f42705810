#region service
using Greeting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var app = Host.CreateApplicationBuilder(args);
app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport()
    .AddHandler(Greetings.Greet, (name, _) => $"Hello, {name}!");
app.Build().Run();
#endregion
