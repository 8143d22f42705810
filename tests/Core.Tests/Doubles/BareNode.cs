using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A node without a bus and a transport: messages are offered to its subscriptions by hand.</summary>
internal sealed class BareNode : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public BareNode(
        Action<ServiceMeshOptions>? configure = null, Action<IServiceCollection>? services = null, params IHandlerMiddleware[] middleware)
    {
        var collection = new ServiceCollection();
        collection.AddMetrics().AddLogging(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(Log));
        services?.Invoke(collection);
        _services = collection.BuildServiceProvider();
        var options = new ServiceMeshOptions { NodeName = "bare" };
        configure?.Invoke(options);
        Node = new(
            options,
            new SerializerSet([new JsonMessageSerializer()], "Json"),
            _services.GetRequiredService<IServiceScopeFactory>(),
            middleware,
            new Telemetry(_services.GetRequiredService<IMeterFactory>(), "bare", Clock),
            _services.GetRequiredService<ILoggerFactory>(),
            Clock);
    }

    public Node Node { get; }

    public FakeTimeProvider Clock { get; } = new();

    public RecordedLog Log { get; } = new();

    /// <summary>What was reported until now, taken out of the reporter.</summary>
    public async Task<IReadOnlyList<ErrorReport>> ReportsAsync()
    {
        var filed = new List<ErrorReport>();
        Node.Errors.Start(report =>
        {
            filed.Add(report);
            return Task.FromResult("filed");
        });
        await Node.Errors.StopAsync(TimeSpan.FromMinutes(1)).Soon();
        return filed;
    }

    public Subscription OnRequest<TIn, TOut>(string topic, Func<TIn, HandlerContext, Task<TOut>> handler, HandlerOptions? options = null) =>
        new(Node, HandlerDefinition.ForRequest(new RequestTopic<TIn, TOut>(topic), "test", (input, context) => new ValueTask<TOut>(handler(input, context)))
            .With(options ?? new()));

    public Subscription OnSignal(string pattern, string? group = null) => OnSignalWith(pattern, new() { Group = group });

    public Subscription OnSignalWith(string pattern, HandlerOptions options, Func<string, HandlerContext, Task>? handler = null) =>
        new(Node, HandlerDefinition.ForSignal(
            new SignalPattern<string>(pattern), "test", (value, context) => new ValueTask(handler?.Invoke(value, context) ?? Task.CompletedTask))
            .With(options));

    public Message Request(string topic, object? input = null, TimeSpan? deadline = null) => Message(MessageKind.Request, topic, input, deadline);

    public Message Signal(string topic, object? value = null) => Message(MessageKind.Signal, topic, value, null);

    public async ValueTask DisposeAsync()
    {
        Node.Dispose();
        await _services.DisposeAsync();
    }

    private Message Message(MessageKind kind, string topic, object? value, TimeSpan? deadline) => new()
    {
        Id = new("caller", 1),
        Kind = kind,
        Topic = Topic.Parse(topic),
        ContentType = "application/json",
        Body = SerializerSet.Encode(Node.Serializers.Configured, value),
        Deadline = deadline is { } time ? Deadline.After(time, Clock) : Deadline.None,
    };
}
