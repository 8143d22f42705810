using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Benchmarks;

/// <summary>The receiving side of a node, for benchmarks of parts that need one.</summary>
internal sealed class Parts : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddLogging().BuildServiceProvider();
    private readonly NodeState _state = new();
    private readonly Receiver _receiver;

    public Parts()
    {
        var clock = TimeProvider.System;
        var identity = new NodeIdentity("parts");
        var telemetry = new Telemetry(_services.GetRequiredService<IMeterFactory>(), "parts", clock);
        var logger = _services.GetRequiredService<ILoggerFactory>().CreateLogger("ServiceMesh");
        var pipeline = new HandlerPipeline(
            new SerializerSet([new JsonMessageSerializer()], "Json"), [], _services.GetRequiredService<IServiceScopeFactory>(),
            () => throw new InvalidOperationException("The benchmarks of parts have no bus."));
        _receiver = new(
            identity, _state, pipeline, new(TimeSpan.FromMinutes(10), 256, 1024), ErrorDetails.Message,
            new(4 * 1024 * 1024, "Request:MaxBodyBytes"), telemetry,
            new ErrorReporter(identity, ErrorPolicy.Ignore, 0, telemetry, logger, clock), logger, clock);
    }

    /// <summary>A request with the small record, as a caller creates it.</summary>
    public static Message Request(Reading reading) => new()
    {
        Id = new("caller-0123456789abcdef", 123_456),
        Kind = MessageKind.Request,
        Topic = Topic.Parse("bench.echo"),
        ContentType = "application/json",
        Body = SerializerSet.Encode(new JsonMessageSerializer(), reading),
        Deadline = Deadline.After(TimeSpan.FromSeconds(30), TimeProvider.System),
    };

    /// <summary>The reply to a request.</summary>
    public static ReplyMessage Reply(Message request) =>
        new() { Status = StatusCode.Ok, ContentType = request.ContentType, Body = request.Body };

    public Subscription OnSignal(string pattern) =>
        _receiver.Subscribe(HandlerDefinition.ForSignal<string>(TopicPattern.Parse(pattern), "parts", (_, _) => default));

    public void Dispose()
    {
        _state.Dispose();
        _services.Dispose();
    }
}
