using System.Collections.Concurrent;

namespace ServiceMesh.Support;

/// <summary>
/// The attempts and executions of each request, by the name that its sender gave it. One log for all servers of a test shows
/// whether a request ran twice. Thread-safe.
/// </summary>
public sealed class ExecutionLog
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new();

    /// <summary>Attempts of all requests: those whose headers a server has read.</summary>
    public int Attempts => _entries.Values.Sum(e => e.Attempts);

    /// <summary>Executions of all requests: those whose body a server has read to its end.</summary>
    public int Executions => _entries.Values.Sum(e => e.Executions);

    /// <summary>The requests that were executed more than once.</summary>
    public IEnumerable<string> ExecutedTwice => _entries.Where(e => e.Value.Executions > 1).Select(e => e.Key);

    /// <summary>The requests that arrived more than once, whether or not they were executed.</summary>
    public IEnumerable<string> ArrivedTwice => _entries.Where(e => e.Value.Attempts > 1).Select(e => e.Key);

    /// <summary>How often a server has read the headers of a request.</summary>
    public int AttemptsOf(string request) => _entries.GetValueOrDefault(request)?.Attempts ?? 0;

    /// <summary>How often a server has read all of a request.</summary>
    public int ExecutionsOf(string request) => _entries.GetValueOrDefault(request)?.Executions ?? 0;

    /// <summary>Records that a server has read the headers of a request.</summary>
    public void Arrived(string request) => Interlocked.Increment(ref _entries.GetOrAdd(request, _ => new()).Attempts);

    /// <summary>Records that a server has executed a request.</summary>
    public void Executed(string request) => Interlocked.Increment(ref _entries.GetOrAdd(request, _ => new()).Executions);

    private sealed class Entry
    {
        public int Attempts;
        public int Executions;
    }
}
