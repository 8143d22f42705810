using Contracts;
using ServiceMesh;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddHealthChecks().AddServiceMesh();
builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
    .AddRedisTransport()
    .AddHttpTransport();

var app = builder.Build();
app.UseServiceMeshProblemDetails();
app.MapHealthChecks("/health");
app.MapGet("/greetings/{name}", async (string name, IServiceBus bus, CancellationToken cancellationToken) =>
    await bus.RequestAsync(GreetingTopics.Greet, name, cancellationToken));
app.Run();
