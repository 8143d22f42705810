using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// The application's loggers as the bus and its transports use them: each message is one line, and an exception has no line breaks
/// but those of its stack. Text from outside is cleaned here once, so that no log call can forget it. A failure that repeats is one line
/// with a count (<see cref="RepeatedLines"/>). Levels are the application's.
/// </summary>
internal sealed class PrintableLogs(ILoggerFactory application, TimeProvider clock) : ILoggerFactory
{
    private readonly RepeatedLines _repeated = new(clock);

    public ILogger CreateLogger(string categoryName) => new Lines(categoryName, application.CreateLogger(categoryName), _repeated);

    /// <summary>Writes what has been held back, because the node stops.</summary>
    public void Flush() => _repeated.Flush();

    public void AddProvider(ILoggerProvider provider) => application.AddProvider(provider);

    // The factory belongs to the application.
    public void Dispose() { }

    private sealed class Lines(string category, ILogger inner, RepeatedLines repeated) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (inner.IsEnabled(logLevel)
                && repeated.IsWritten(
                    category, inner, logLevel, eventId, state, exception, () => Printable.Whole(formatter(state, exception))))
            {
                inner.Log(
                    logLevel, eventId, state, LoggedException.Of(exception),
                    (values, thrown) => Printable.Whole(formatter(values, thrown)));
            }
        }
    }
}
