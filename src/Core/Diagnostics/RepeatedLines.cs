using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// Holds back log lines of one kind that repeat. The first is written at once; those that follow within the interval are counted, and one
/// line at its end says how many there were. A kind is an event of a category with its level, its topic, service, endpoint and status, and
/// the type of its exception. Warnings and errors are held back, and failures of messages at any level from Information. Thread-safe.
/// </summary>
internal sealed class RepeatedLines(TimeProvider clock)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    // Topics come from outside, so the number of kinds is bounded. Beyond that, kinds of one event are one.
    private const int MaxKinds = 1024;

    // What tells kinds apart; names, numbers and times do not.
    private static readonly string[] s_kind = ["Topic", "Service", "Endpoint", "Status", "Step"];

    private readonly ConcurrentDictionary<string, Kind> _kinds = new();

    /// <summary>Whether a line is written now; if not, it is counted.</summary>
    /// <param name="category">The category of the logger.</param>
    /// <param name="logger">Writes the line that says how many were held back.</param>
    /// <param name="level">The level of the line.</param>
    /// <param name="eventId">The event of the line.</param>
    /// <param name="state">The values of the line.</param>
    /// <param name="exception">The exception of the line.</param>
    /// <param name="text">Formats the line; called when the line is written.</param>
    public bool IsWritten(
        string category, ILogger logger, LogLevel level, EventId eventId, object? state, Exception? exception, Func<string> text)
    {
        var values = state as IReadOnlyList<KeyValuePair<string, object?>>;
        if (level < LogLevel.Information || (level == LogLevel.Information && values?.Any(v => v.Key == "Status") != true))
        {
            return true;
        }

        var key = KeyOf(category, level, eventId, values, exception);
        if (_kinds.Count >= MaxKinds && !_kinds.ContainsKey(key))
        {
            key = KeyOf(category, level, eventId, null, null);
        }

        while (true)
        {
            var made = new Kind(key, this, logger, level);
            var kind = _kinds.GetOrAdd(key, made);
            if (ReferenceEquals(kind, made))
            {
                made.Begin(text());
                return true;
            }

            if (kind.TryCount())
            {
                return false;
            }
        }
    }

    /// <summary>Says at once how many lines have been held back, because the node stops.</summary>
    public void Flush()
    {
        foreach (var kind in _kinds.Values)
        {
            kind.Tell();
        }
    }

    private static string KeyOf(
        string category, LogLevel level, EventId eventId, IReadOnlyList<KeyValuePair<string, object?>>? values, Exception? exception)
    {
        var key = new StringBuilder(category).Append('\n').Append((int)level).Append('\n').Append(eventId.Id).Append(eventId.Name);
        foreach (var (name, value) in values ?? [])
        {
            // A reason that is one word is a kind; a sentence names what is different each time.
            if (Array.IndexOf(s_kind, name) >= 0 || (name == "Reason" && value is string reason && !reason.Contains(' ')))
            {
                key.Append('\n').Append(value);
            }
        }

        return key.Append('\n').Append(exception?.GetType()).ToString();
    }

    /// <summary>One kind of line within an interval. It is forgotten when an interval passes without a line.</summary>
    private sealed class Kind(string key, RepeatedLines all, ILogger logger, LogLevel level)
    {
        private readonly Lock _lock = new();
        private string _first = "";
        private int _held;
        private bool _isOver;
        private ITimer? _timer;

        public void Begin(string first)
        {
            _first = first;
            var timer = CleanContext.Call(() => all.Clock.CreateTimer(
                static self => ((Kind)self!).EndInterval(), this, Interval, Interval));
            lock (_lock)
            {
                _timer = timer;
            }
        }

        // False when the interval has just ended without a line.
        public bool TryCount()
        {
            lock (_lock)
            {
                _held += _isOver ? 0 : 1;
                return !_isOver;
            }
        }

        public void Tell()
        {
            int held;
            lock (_lock)
            {
                held = _held;
                _held = 0;
            }

            if (held > 0)
            {
                Log.Repeated(logger, level, held, Interval.TotalSeconds, _first);
            }
        }

        private void EndInterval()
        {
            ITimer? timer = null;
            lock (_lock)
            {
                if (_held == 0)
                {
                    _isOver = true;
                    timer = _timer;
                }
            }

            if (timer is null)
            {
                Tell();
                return;
            }

            all._kinds.TryRemove(KeyValuePair.Create(key, this));
            timer.Dispose();
        }
    }

    private TimeProvider Clock => clock;
}
