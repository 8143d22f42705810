using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh;

// One program over the transport that its first argument names: a service and a caller, each a host of its own.
var (transport, port) = (args[0], args[1]);
var network = new InMemoryNetwork();
using var service = Build(
    bus => bus.AddHandler<GreetHandler>(Topics.Greet),
    ("Http:Listen", $"http://127.0.0.1:{port}"));
using var caller = Build(_ => { }, ("Http:Services:greetings:Address", $"static:127.0.0.1:{port}"));
await service.StartAsync();
await caller.StartAsync();
var greeting = await caller.Services.GetRequiredService<IServiceBus>().RequestAsync(Topics.Greet, new Person("Asha"));
Console.WriteLine(greeting.Text);
await caller.StopAsync();
await service.StopAsync();

IHost Build(Action<IServiceMeshBuilder> configure, params (string Key, string Value)[] settings)
{
    var builder = Host.CreateEmptyApplicationBuilder(new());
    builder.Configuration.AddInMemoryCollection(
        settings.Append(("Transport", transport)).Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:{s.Item1}", s.Item2)));
    configure(builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"))
        .AddInMemoryTransport(network).AddHttpTransport().AddJsonContext(TopicsJson.Default));
    return builder.Build();
}

internal sealed record Person(string Name);

internal sealed record Greeting(string Text);

internal static class Topics
{
    public static readonly RequestTopic<Person, Greeting> Greet = new("greetings.greet");
}

internal sealed class GreetHandler : IRequestHandler<Person, Greeting>
{
    public Task<Greeting> HandleAsync(Person request, HandlerContext context) => Task.FromResult(new Greeting($"Hello, {request.Name}!"));
}

[JsonSerializable(typeof(Person))]
[JsonSerializable(typeof(Greeting))]
internal sealed partial class TopicsJson : JsonSerializerContext;
