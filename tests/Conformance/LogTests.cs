using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>The log of all services on one topic pattern, and what every log line of a handler carries.</summary>
public abstract class LogTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly RequestTopic<string, string> s_other = new("conformance.other");

    [Test]
    public async Task One_subscriber_reads_the_logs_of_all_services()
    {
        var inbox = new Inbox<LogEntry>();
        var first = await StartAsync(Logging(Ask));
        var second = await StartAsync(Logging(s_other));
        var reader = await StartAsync(mesh => mesh.AddHandler(MeshTopics.Logs, (entry, context) =>
            entry.Category == "conformance" ? inbox.ReceiveAsync(entry, context) : Task.CompletedTask));
        using var span = new Activity("caller").Start();

        await reader.Bus.RequestAsync(Ask, "one");
        await reader.Bus.RequestAsync(s_other, "one");
        LogEntry[] entries = [await inbox.NextAsync(), await inbox.NextAsync()];

        using (Assert.EnterMultipleScope())
        {
            Assert.That(entries.Select(e => e.Node).ToHashSet(), Is.EquivalentTo([first.Id, second.Id]));
            foreach (var entry in entries)
            {
                Assert.That((entry.Level, entry.EventId, entry.Message), Is.EqualTo((LogLevel.Warning, 7, "Handling one")));
                Assert.That(entry.Exception, Does.Contain("a cause"));
                Assert.That(entry.Scope["Topic"], Is.EqualTo((entry.Node == first.Id ? Ask : s_other).Topic.ToString()));
                Assert.That(entry.Scope["Sender"], Is.EqualTo(reader.Id));
                Assert.That(entry.Scope["MessageId"], Does.StartWith(reader.Id));
                Assert.That((entry.Scope["TraceId"], entry.TraceId), Is.EqualTo(($"{span.TraceId}", $"{span.TraceId}")));
                Assert.That(entry.Lost, Is.Zero);
            }
        }
    }

    private static Action<IServiceMeshBuilder> Logging(RequestTopic<string, string> topic) =>
        mesh => mesh.AddServiceMeshLogging().AddHandler(topic, (input, context) =>
        {
            Write(context.Services, "conformance", LogLevel.Warning, $"Handling {input}", 7, new InvalidTimeZoneException("a cause"));
            return context.NodeId;
        });

    [Test]
    public async Task Reading_and_publishing_logs_is_not_published()
    {
        var read = new ConcurrentQueue<(string Reader, LogEntry Entry)>();
        var nodes = await StartAsync(2, mesh => mesh.AddServiceMeshLogging().AddHandler(MeshTopics.Logs, (entry, context) =>
        {
            read.Enqueue((context.NodeId, entry));
            Write(context.Services, "conformance", LogLevel.Critical, $"Read {entry.Message}");
            throw new InvalidTimeZoneException("The bus logs that this handler failed.");
        }));

        for (var i = 0; i < 20; i++)
        {
            foreach (var node in nodes)
            {
                Write(node.Services, "markers", LogLevel.Information, $"marker {i}");
            }

            await Failsafe.UntilAsync(() => read.Count(r => r.Entry.Category == "markers") == (i + 1) * 4);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(read.Where(r => r.Entry.Category == "conformance"), Is.Empty, "what the readers log");
            Assert.That(
                read.Select(r => r.Entry.Message).Where(line => line.Contains("mesh.log") && !line.Contains("subscribed to")),
                Is.Empty, "what the bus and its web server log about logs");
        }
    }

    private static void Write(
        IServiceProvider services, string category, LogLevel level, string text, int id = 0, Exception? exception = null) =>
        services.GetRequiredService<ILoggerFactory>().CreateLogger(category).Log(level, id, text, exception, static (line, _) => line);
}
