using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>The bounds of published logs, and the scope of log lines within handlers.</summary>
public sealed class MeshLogTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";

    private static readonly RequestTopic<int, string> s_ask = new("logs.ask");

    [Test]
    public async Task Entries_that_come_faster_than_they_leave_are_lost_and_counted()
    {
        var network = new InMemoryNetwork();
        var read = new ConcurrentQueue<LogEntry>();
        await using var reader = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network)
            .AddHandler(MeshTopics.Logs, (entry, _) => read.Enqueue(entry), options => options.Ordered = true));
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddServiceMesh().AddInMemoryTransport(network).AddServiceMeshLogging().AddServiceMeshLogging();
        using var host = builder.Build();
        var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("mine");

        // Nothing leaves before the start.
        for (var i = 0; i < 3_000; i++)
        {
            Write(logger, $"entry {i}");
        }

        await host.StartAsync();
        await Failsafe.Until(() => read.Count >= MeshLog.Capacity);
        Write(logger, "last");

        await Failsafe.Until(() => read.ToArray() is [.., { Message: "last" }]);
        Assert.That(read.Where(e => e.Category == "mine").Sum(e => e.Lost + 1), Is.EqualTo(3_001));
        Assert.That(read.First().Lost, Is.EqualTo(3_000 - MeshLog.Capacity));
        await host.StopAsync();
    }

    [Test]
    public async Task Long_texts_and_many_scope_values_are_cut()
    {
        var network = new InMemoryNetwork();
        var read = new TaskCompletionSource<LogEntry>();
        await using var reader = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network)
            .AddHandler(MeshTopics.Logs, (entry, context) => (entry.EventId == 5 ? read : null)?.TrySetResult(entry)));
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network).AddServiceMeshLogging());
        var logger = node.Services.GetRequiredService<ILoggerFactory>().CreateLogger(new string('c', 1_000));

        using (logger.BeginScope(Enumerable.Range(0, 100).ToDictionary(i => $"n{i}", i => (object)new string('v', 1_000))))
        {
            Write(logger, new string('m', 100_000), 5, new InvalidTimeZoneException(new string('x', 100_000)));
        }

        var entry = await read.Task.Soon();
        Assert.That(
            (entry.Category.Length, entry.Message.Length, entry.Exception!.Length, entry.Scope.Count, entry.Scope["n0"].Length),
            Is.EqualTo((257, 4_097, 8_193, 16, 257)));
    }

    [Test]
    public async Task What_is_logged_while_a_node_stops_is_published()
    {
        var network = new InMemoryNetwork();
        var read = new List<string>();
        await using var reader = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network)
            .AddHandler(MeshTopics.Logs, (entry, _) => read.Add(entry.Message), options => options.Ordered = true));
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network).AddServiceMeshLogging());

        await node.StopAsync().Soon();

        await Failsafe.Until(() => read.ToArray().Any(line => line.EndsWith("has drained", StringComparison.Ordinal)));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Log_lines_within_a_handler_carry_the_message_as_a_scope(bool waits)
    {
        var scopes = new Scopes();
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandler(s_ask, async (int input, HandlerContext context) =>
            {
                if (waits)
                {
                    await Task.Yield();
                }

                Write(context.Services.GetRequiredService<ILoggerFactory>().CreateLogger("mine"), "x");
                return context.Message.Id.ToString();
            }),
            services: services => services.AddSingleton<ILoggerProvider>(scopes));

        var id = await node.Bus.RequestAsync(
            s_ask, 1, new RequestOptions { Headers = Headers.Of(("traceparent", $"00-{TraceId}-b7ad6b7169203331-01")) }).Soon();

        Assert.That(scopes.Seen, Is.EqualTo(
            [$"Topic:logs.ask Sender:{node.Bus.DescribeNode().Id} MessageId:{id} TraceId:{TraceId}"]));
        Assert.That(scopes.Now, Is.Empty, "the caller's own lines are not the handler's");
    }

    private static void Write(ILogger logger, string text, int id = 0, Exception? exception = null) =>
        logger.Log(LogLevel.Information, id, text, exception, static (line, _) => line);

    private sealed class Scopes : ILoggerProvider, ISupportExternalScope, ILogger
    {
        private IExternalScopeProvider _scopes = null!;

        public List<string> Seen { get; } = [];

        public List<string> Now
        {
            get
            {
                var now = new List<string>();
                _scopes.ForEachScope(static (scope, list) => list.Add($"{scope}"), now);
                return now;
            }
        }

        public ILogger CreateLogger(string categoryName) => categoryName == "mine" ? this : NullLogger.Instance;

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Seen.AddRange(Now);

        public void Dispose() { }
    }
}
