using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// The log of a node as entries that wait to be published. Logging never waits: when too many wait, an entry is lost and counted. Nothing
/// that publishing or reading a log causes is an entry itself, or logs would feed on themselves. Thread-safe.
/// </summary>
[ProviderAlias("ServiceMesh")]
internal sealed class MeshLog(TimeProvider clock) : ILoggerProvider, ISupportExternalScope
{
    /// <summary>The most entries that wait.</summary>
    public const int Capacity = 1024;

    private const int MaxCategory = 256;
    private const int MaxMessage = 4096;
    private const int MaxException = 8192;
    private const int MaxScopeValues = 16;
    private const int MaxScopeValue = 256;

    // What a web server logs about each request, and so about each entry that another node receives over HTTP.
    private const string WebServer = "Microsoft.AspNetCore.";

    private static readonly AsyncLocal<bool> s_isQuiet = new();

    private readonly Channel<LogEntry> _waiting = Channel.CreateBounded<LogEntry>(
        new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    private IExternalScopeProvider? _scopes;
    private long _lost;

    /// <summary>The entries that wait to be published.</summary>
    public ChannelReader<LogEntry> Waiting => _waiting.Reader;

    /// <summary>
    /// From here on this flow is about the log itself, and nothing it logs is an entry: until the asynchronous method returns, or until
    /// the returned value is disposed.
    /// </summary>
    public static Quiet BeQuiet()
    {
        var before = s_isQuiet.Value;
        s_isQuiet.Value = true;
        return new(!before);
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, Cut(categoryName, MaxCategory));

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    /// <summary>How many entries were lost since this was asked last.</summary>
    public long TakeLost() => Interlocked.Exchange(ref _lost, 0);

    public void Lose(long count) => Interlocked.Add(ref _lost, count);

    /// <summary>Takes no more entries.</summary>
    public void Complete() => _waiting.Writer.TryComplete();

    public void Dispose() => Complete();

    private void Add(string category, LogLevel level, EventId id, string message, Exception? exception)
    {
        var scope = ScopeNow();
        if (category.StartsWith(WebServer, StringComparison.Ordinal) && IsAboutLogs(scope, level))
        {
            return;
        }

        var span = Activity.Current;
        var added = _waiting.Writer.TryWrite(new()
        {
            Time = clock.GetUtcNow(),
            Node = "", // the node adds it
            Level = level,
            Category = category,
            EventId = id.Id,
            Message = Cut(message, MaxMessage),
            Exception = exception is null ? null : Cut(ExceptionText.Full(exception)!, MaxException),
            TraceId = span is { IdFormat: ActivityIdFormat.W3C } ? span.TraceId.ToHexString() : scope.GetValueOrDefault("TraceId"),
            SpanId = span is { IdFormat: ActivityIdFormat.W3C } ? span.SpanId.ToHexString() : null,
            Scope = scope,
        });
        if (!added)
        {
            Lose(1);
        }
    }

    // Below a warning the server itself logs per request; the lines about a request stand in its scope.
    private static bool IsAboutLogs(Dictionary<string, string> scope, LogLevel level) =>
        scope.TryGetValue("RequestPath", out var path)
            ? path.Contains("/" + ReservedTopics.Logs, StringComparison.Ordinal)
            : level < LogLevel.Information;

    private Dictionary<string, string> ScopeNow()
    {
        var values = new Dictionary<string, string>();
        _scopes?.ForEachScope(
            static (scope, values) =>
            {
                foreach (var (name, value) in scope as IEnumerable<KeyValuePair<string, object?>> ?? [])
                {
                    if (name != "{OriginalFormat}" && (values.Count < MaxScopeValues || values.ContainsKey(name)))
                    {
                        values[Cut(name, MaxScopeValue)] = Cut(Convert.ToString(value, CultureInfo.InvariantCulture) ?? "", MaxScopeValue);
                    }
                }
            },
            values);
        return values;
    }

    private static string Cut(string text, int max) => ExceptionText.Cut(text, max);

    /// <summary>Ends quiet.</summary>
    /// <param name="ends">False when it was quiet before.</param>
    public readonly struct Quiet(bool ends) : IDisposable
    {
        public void Dispose()
        {
            if (ends)
            {
                s_isQuiet.Value = false;
            }
        }
    }

    private sealed class Logger(MeshLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => log._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && !s_isQuiet.Value;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Add(category, logLevel, eventId, formatter(state, exception), exception);
            }
        }
    }
}
