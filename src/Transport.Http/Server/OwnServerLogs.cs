using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The log of the server of the transport without its lines about requests for the node document: nodes ask each other every few seconds.
/// </summary>
internal sealed class OwnServerLogs(ILoggerFactory inner) : ILoggerFactory
{
    // What the platform's lines about a request name: its path, or the endpoint that the route leads to.
    private static readonly string[] s_keys = ["Path", "EndpointName"];

    public ILogger CreateLogger(string categoryName)
    {
        var logger = inner.CreateLogger(categoryName);
        return categoryName.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) ? new WithoutWatches(logger) : logger;
    }

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    // The application owns the loggers.
    public void Dispose()
    {
    }

    private sealed class WithoutWatches(ILogger inner) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel > LogLevel.Information || !IsOfWatch(state))
            {
                inner.Log(logLevel, eventId, state, exception, formatter);
            }
        }

        private static bool IsOfWatch<TState>(TState state) =>
            state is IEnumerable<KeyValuePair<string, object?>> values
            && values.Any(v => Array.IndexOf(s_keys, v.Key) >= 0
                && v.Value?.ToString()?.Contains(MeshEndpoints.NodePath, StringComparison.Ordinal) == true);
    }
}
