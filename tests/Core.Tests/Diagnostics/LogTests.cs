using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class LogTests
{
    private const string Secret = "c0nf1dential";

    [Test]
    public async Task The_log_of_every_failure_names_topic_and_sender_and_never_the_body()
    {
        var request = new RequestTopic<string, string>("log.fails");
        var number = new RequestTopic<int, int>("log.number");
        var signal = new SignalTopic<string>("log.signal");
        var heard = Failsafe.Signal();
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport()
                .AddHandler(
                    request,
                    (string input, HandlerContext _) => input.Length < 0 ? input : throw new InvalidOperationException("out of luck"))
                .AddHandler(number, (x, _) => x)
                .AddHandler(signal, (_, _) =>
                {
                    heard.TrySetResult();
                    throw new InvalidOperationException("out of luck");
                }),
            [("ErrorPolicy", "Ignore"), ("Request:MaxBodyBytes", "40")]);
        await node.Bus.TryRequestAsync(request, Secret).Soon();
        await node.Bus.TryRequestAsync(new RequestTopic<string, string>("log.number"), Secret).Soon();
        await node.Bus.TryRequestAsync(new RequestTopic<string, string>("log.unhandled"), Secret).Soon();
        await node.Bus.TryRequestAsync(request, Secret + new string('x', 100)).Soon();
        await node.Bus.TryExecuteAsync(
            Compose.Lambda((string s) => s.Length < 0 ? 1 : throw new InvalidOperationException()), Secret).Soon();
        await node.Bus.SignalAsync(signal, Secret).Soon();
        await Assert.CatchAsync<RequestRejectedException>(() => node.Bus.SignalAsync(signal, Secret + new string('x', 100)).Soon());
        await heard.Task.Soon();
        await Failsafe.Until(() => node.Log.Has(LogLevel.Warning, "Handling log.signal from"));
        var id = node.Bus.DescribeNode().Id;
        Assert.That(node.Log.Has(LogLevel.Warning, $"Handling log.fails from {id} failed with 500"), Is.True);
        Assert.That(node.Log.Has(LogLevel.Warning, $"Handling log.number from {id} failed with 400"), Is.True);
        Assert.That(node.Log.Has(LogLevel.Warning, $"Handling log.signal from {id} failed with 500"), Is.True);
        Assert.That(node.Log.Has(LogLevel.Warning, "Lost a message on log.signal (not-sent)"), Is.True);
        Assert.That(node.Log.Has(LogLevel.Debug, "Request log.unhandled from "), Is.True);
        Assert.That(node.Log.Lines, Has.None.Contains(Secret));
    }

    [Test]
    public void Each_log_message_has_its_own_event_id()
    {
        var numbers = typeof(Log).GetMethods(BindingFlags.Static | BindingFlags.Public)
            .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>().Select(a => a.EventId).ToArray();
        Assert.That(numbers, Is.Unique.And.Length.GreaterThan(10));
    }

    [Test]
    public async Task Start_and_drain_are_logged_with_the_node()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport());
        await node.StopAsync().Soon();
        var id = node.Bus.DescribeNode().Id;
        Assert.That(
            node.Log.Has(LogLevel.Information, $"Node {id} started on the InMemory transport (this process) and is subscribed to nothing"),
            Is.True);
        Assert.That(node.Log.Has(LogLevel.Information, $"Node {id} drains"), Is.True);
        Assert.That(node.Log.Has(LogLevel.Information, $"Node {id} has drained"), Is.True);
    }
}
