using Microsoft.Extensions.Logging;

namespace ServiceMesh.Conformance;

/// <summary>Writes every log line, down to the details, and throws it away: a line that cannot be written fails its test.</summary>
internal sealed class UnreadLog : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        formatter(state, exception);

    public void Dispose() { }
}
