using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>The receiving side of a node without a bus or a transport. Tests offer messages to its subscriptions directly.</summary>
internal sealed class BareNode : IAsyncDisposable
{
    private static readonly JsonMessageSerializer s_json = new();

    private readonly ServiceProvider _services;
    private readonly Receiver _receiver;

    public BareNode(
        Action<ServiceMeshOptions>? configure = null, Action<IServiceCollection>? services = null, params IHandlerMiddleware[] middleware)
    {
        var collection = new ServiceCollection();
        collection.AddMetrics().AddLogging(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(Log));
        services?.Invoke(collection);
        _services = collection.BuildServiceProvider();
        var options = new ServiceMeshOptions();
        configure?.Invoke(options);
        var telemetry = new Telemetry(_services.GetRequiredService<IMeterFactory>(), "bare", Clock);
        var logger = _services.GetRequiredService<ILoggerFactory>().CreateLogger("ServiceMesh");
        var dataBytes = options.Errors.WholeBody ? int.MaxValue : options.Errors.MaxDataBytes;
        Errors = new(Identity, options.ErrorPolicy, dataBytes, telemetry, logger, Clock);
        var pipeline = new HandlerPipeline(
            new SerializerSet([s_json], "Json"), middleware, _services.GetRequiredService<IServiceScopeFactory>(),
            () => throw new InvalidOperationException("This node has no bus."));
        _receiver = new(
            Identity, State, pipeline,
            new(options.Handler.Timeout, options.Handler.MaxConcurrency, options.Handler.MaxQueued),
            options.Errors.Details ?? ErrorDetails.Message,
            new(options.Request.MaxBodyBytes, options.KeyOf("Request:MaxBodyBytes")),
            telemetry, Errors, logger, Clock);
    }

    public string Id => Identity.Id;

    public NodeState State { get; } = new();

    public ErrorReporter Errors { get; }

    private NodeIdentity Identity { get; } = new("bare");

    public FakeTimeProvider Clock { get; } = new();

    public RecordedLog Log { get; } = new();

    /// <summary>Disposes the container of the application, as a host does that is stopped abruptly.</summary>
    public ValueTask DisposeServicesAsync() => _services.DisposeAsync();

    /// <summary>Takes the reports made until now out of the reporter.</summary>
    public async Task<IReadOnlyList<ErrorReport>> ReportsAsync()
    {
        var filed = new List<ErrorReport>();
        Errors.Start(report =>
        {
            filed.Add(report);
            return Task.FromResult("filed");
        });
        await Errors.StopAsync(TimeSpan.FromMinutes(1)).Soon();
        return filed;
    }

    public Subscription OnRequest<TIn, TOut>(string topic, Func<TIn, HandlerContext, Task<TOut>> handler, HandlerOptions? options = null) =>
        _receiver.Subscribe(HandlerDefinition.ForRequest<TIn, TOut>(
            TopicPattern.Parse(topic), "test", (input, context) => new ValueTask<TOut>(handler(input, context)))
            .With(options ?? new()));

    public Subscription OnClass<THandler>(ITopicContract contract) =>
        _receiver.Subscribe(HandlerDefinition.ForClass(contract, typeof(THandler)));

    public Subscription OnSignal(string pattern, string? group = null) => OnSignalWith(pattern, new() { Group = group });

    public Subscription OnSignalWith(string pattern, HandlerOptions options, Func<string, HandlerContext, Task>? handler = null) =>
        _receiver.Subscribe(HandlerDefinition.ForSignal<string>(
            TopicPattern.Parse(pattern), "test", (value, context) => new ValueTask(handler?.Invoke(value, context) ?? Task.CompletedTask))
            .With(options));

    public Message Request(string topic, object? input = null, TimeSpan? deadline = null) =>
        Message(MessageKind.Request, topic, input, deadline);

    public Message Signal(string topic, object? value = null) => Message(MessageKind.Signal, topic, value, null);

    public async ValueTask DisposeAsync()
    {
        State.Dispose();
        await _services.DisposeAsync();
    }

    private Message Message(MessageKind kind, string topic, object? value, TimeSpan? deadline) => new()
    {
        Id = new("caller", 1),
        Kind = kind,
        Topic = Topic.Parse(topic),
        ContentType = "application/json",
        Body = SerializerSet.Encode(s_json, value),
        Deadline = deadline is { } time ? Deadline.After(time, Clock) : Deadline.None,
    };
}
