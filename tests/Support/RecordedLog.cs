using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Support;

/// <summary>Records every log line, so that a test can check what was logged.</summary>
public sealed class RecordedLog : ILoggerProvider
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = new();

    public IEnumerable<string> Lines => _lines.Select(l => l.Text);

    public bool Has(LogLevel level, string part) => _lines.Any(l => l.Level == level && l.Text.Contains(part, StringComparison.Ordinal));

    /// <summary>The lines of a level and above.</summary>
    public IEnumerable<string> From(LogLevel level) => _lines.Where(l => l.Level >= level).Select(l => l.Text);

    public ILogger CreateLogger(string categoryName) => new Recorder(this);

    public void Dispose() { }

    private sealed class Recorder(RecordedLog log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log._lines.Enqueue((logLevel, formatter(state, exception)));
    }
}
