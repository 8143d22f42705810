using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Benchmarks;

/// <summary>A node without a bus and a transport, for parts that need one to exist.</summary>
internal sealed class Parts : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddLogging().BuildServiceProvider();
    private readonly Node _node;

    public Parts() => _node = new(
        new ServiceMeshOptions { NodeName = "parts" },
        new SerializerSet([new JsonMessageSerializer()], "Json"),
        _services.GetRequiredService<IServiceScopeFactory>(),
        [],
        new Telemetry(_services.GetRequiredService<IMeterFactory>(), "parts", TimeProvider.System),
        _services.GetRequiredService<ILoggerFactory>(),
        TimeProvider.System);

    /// <summary>A request with the small record in it, as a caller makes it.</summary>
    public static Message Request(Reading reading) => new()
    {
        Id = new("caller-0123456789abcdef", 123_456),
        Kind = MessageKind.Request,
        Topic = Topic.Parse("bench.echo"),
        ContentType = "application/json",
        Body = SerializerSet.Encode(new JsonMessageSerializer(), reading),
        Deadline = Deadline.After(TimeSpan.FromSeconds(30), TimeProvider.System),
    };

    /// <summary>The reply to it.</summary>
    public static ReplyMessage Reply(Message request) => new() { Status = StatusCode.Ok, ContentType = request.ContentType, Body = request.Body };

    public Subscription OnSignal(string pattern) =>
        new(_node, HandlerDefinition.ForSignal(new SignalPattern<string>(pattern), "parts", (_, _) => default));

    public void Dispose()
    {
        _node.Dispose();
        _services.Dispose();
    }
}
