using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Text from outside cannot write lines of its own into a log.</summary>
public sealed class LogForgeryTests
{
    private const string Forged = "no\r\ninfo: Login[0]\n      admin logged in\u2028again\u001b[2J";

    private static readonly RequestTopic<string, string> s_ask = new("forge.ask");

    [Test]
    public async Task The_text_of_an_exception_of_a_handler_adds_no_line_to_the_log()
    {
        var log = new Texts();
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport().AddHandler(
                s_ask, string (input, _) => throw new InvalidOperationException(input, new FormatException(input))),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));

        await node.Bus.TryRequestAsync(s_ask, Forged).Soon();
        await Failsafe.Until(() => log.Exceptions.Count > 0);

        Assert.That(log.Lines, Has.None.StartsWith("info: Login").And.None.Contains("\u001b").And.None.Contains("\u2028"));
        var lines = log.Exceptions.Single().Split('\n').Select(l => l.TrimEnd('\r')).ToArray();
        Assert.That(lines[0], Does.StartWith("System.InvalidOperationException: no"));
        Assert.That(lines[1], Does.StartWith(" ---> System.FormatException: no"));
        Assert.That(lines.Skip(1), Has.All.Match(@"^ ---> |^   at |^   --- End of inner "));
    }

    [Test]
    public void An_exception_without_line_breaks_is_logged_as_it_is()
    {
        var thrown = Assert.Catch<InvalidOperationException>(
            () => throw new InvalidOperationException("plain", new FormatException("why")));
        var many = new AggregateException(thrown!, new FormatException("two"));

        Assert.That(LoggedException.Of(thrown), Is.SameAs(thrown));
        Assert.That(LoggedException.Of(many), Is.SameAs(many));
        Assert.That(LoggedException.Of(null), Is.Null);
    }

    [Test]
    public void An_exception_that_writes_itself_is_checked_too() =>
        Assert.That(LoggedException.Of(new OwnText())!.ToString(), Does.StartWith("ServiceMesh.Core.Tests").And.Not.Contain("forged"));

    [Test]
    public void An_exception_that_cannot_be_read_is_logged_by_its_type() =>
        Assert.That(LoggedException.Of(new Unreadable())!.ToString(), Does.Contain(nameof(Unreadable)).And.Contain("could not be read"));

    [Test]
    public void A_message_of_any_transport_is_one_line()
    {
        using var log = new Texts();
        using var application = LoggerFactory.Create(logging => logging.AddProvider(log));
        using var logs = new PrintableLogs(application, TimeProvider.System);

        logs.CreateLogger("x").Log(LogLevel.Warning, default, Forged, null, (text, _) => $"A server said {text}");

        Assert.That(log.Lines.Single(), Does.StartWith("A server said no??info: Login").And.Not.Contain("\n"));
    }

    private sealed class OwnText : Exception
    {
        public override string ToString() => "first\nforged";
    }

    private sealed class Unreadable : Exception
    {
        public override string Message => throw new InvalidOperationException();
    }

    private sealed class Texts : ILoggerProvider, ILogger
    {
        private readonly Lock _lock = new();
        private readonly List<(string Line, string? Exception)> _all = [];

        public List<string> Lines => Take(entry => entry.Line);

        public List<string> Exceptions => Take(entry => entry.Exception);

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_lock)
            {
                _all.Add((formatter(state, exception), exception?.ToString()));
            }
        }

        public void Dispose() { }

        private List<string> Take(Func<(string Line, string? Exception), string?> part)
        {
            lock (_lock)
            {
                return [.. _all.Select(part).OfType<string>()];
            }
        }
    }
}
