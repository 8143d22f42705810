namespace ServiceMesh.Http;

/// <summary>
/// Runs one rebuild at a time, on a thread of the pool and under no lock, because it calls balancers, which may be the
/// application's own. All who ask before a rebuild begins share it. Thread-safe.
/// </summary>
/// <param name="rebuild">Takes in everything that is known when it begins.</param>
internal sealed class Rebuilds(Action rebuild) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _next; // who asked for the rebuild that has not begun; null when nobody has
    private Task _loop = Task.CompletedTask;
    private bool _running;
    private bool _closed;

    /// <summary>Ends when everything that is known now has been taken in; at once when this has been disposed of.</summary>
    public Task AskAsync()
    {
        lock (_lock)
        {
            if (_closed)
            {
                return Task.CompletedTask;
            }

            _next ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!_running)
            {
                _running = true;
                _loop = Task.Run(RunAll);
            }

            return _next.Task;
        }
    }

    /// <summary>Ends when the last rebuild that was asked for has.</summary>
    public async ValueTask DisposeAsync()
    {
        Task last;
        lock (_lock)
        {
            _closed = true;
            last = _loop;
        }

        await last.ConfigureAwait(false);
    }

    private void RunAll()
    {
        while (TakeNext() is { } asked)
        {
            try
            {
                rebuild();
                asked.SetResult();
            }
#pragma warning disable CA1031 // Who asked learns how it ended; the next is another.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                asked.SetException(failure);
            }
        }
    }

    private TaskCompletionSource? TakeNext()
    {
        lock (_lock)
        {
            var next = _next;
            _next = null;
            _running = next is not null;
            return next;
        }
    }
}
