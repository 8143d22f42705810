using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A node survives exceptions that cannot be read or are huge, and a logger that throws.</summary>
public class HostileExceptionTests
{
    private static readonly RequestTopic<string, string> s_ask = new("hostile.ask");

    [Test]
    public async Task An_exception_whose_message_throws_is_500_and_the_node_keeps_serving()
    {
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport().AddHandler(s_ask, (input, _) =>
            input == "bad" ? throw new Unreadable() : input));

        var reply = await node.Bus.TryRequestAsync(s_ask, "bad");
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Failure!.Message, Does.Contain(nameof(Unreadable)));
        Assert.That(await node.Bus.RequestAsync(s_ask, "good"), Is.EqualTo("good"));
    }

    [Test]
    public async Task A_huge_message_is_cut_in_the_reply_and_in_the_report()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", (_, _) => throw new InvalidOperationException(new string('x', 1_000_000)));

        var reply = await subscription.Offer(node.Request("a.b")).RunAsync().Soon();
        var report = (await node.ReportsAsync()).Single();

        Assert.That(reply.Error!.Length, Is.LessThan(2 * ExceptionText.MaxBrief));
        Assert.That(report.Error.Length + report.Exception!.Length, Is.LessThan(2 * ExceptionText.MaxFull));
    }

    [Test]
    public async Task A_logger_that_throws_fails_one_request_and_not_the_process()
    {
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandler(s_ask, (_, _) => throw new InvalidOperationException()),
            [("NodeName", "hostile")], // without a section the start would log a warning, and the logger throws
            services => services.AddLogging(logging => logging.AddProvider(new Thrower())));

        var reply = await node.Bus.TryRequestAsync(s_ask, "x");
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
    }

    private sealed class Unreadable : Exception
    {
        public override string Message => throw new InvalidOperationException();

        public override string ToString() => throw new InvalidOperationException();
    }

    private sealed class Thrower : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Warning)
            {
                throw new IOException("disk full");
            }
        }

        public void Dispose() { }
    }
}
