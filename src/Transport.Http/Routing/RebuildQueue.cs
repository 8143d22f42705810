namespace ServiceMesh.Http;

/// <summary>
/// Runs one rebuild at a time, on a thread of the pool and without a lock, because a rebuild calls balancers, which may be user code.
/// All callers that ask before a rebuild begins share it. Thread-safe.
/// </summary>
/// <param name="rebuild">Uses everything that is known when it begins.</param>
internal sealed class RebuildQueue(Action rebuild) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _next; // the callers of the rebuild that has not begun; null if there are none
    private Task _loop = Task.CompletedTask;
    private bool _running;
    private bool _closed;

    /// <summary>Completes when everything that is known now has been used in a rebuild; at once after disposal.</summary>
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
                _loop = CleanContext.RunAsync(RunAll);
            }

            return _next.Task;
        }
    }

    /// <summary>Completes when the last rebuild that was asked for has ended.</summary>
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

    private Task RunAll()
    {
        while (TakeNext() is { } asked)
        {
            try
            {
                rebuild();
                asked.SetResult();
            }
#pragma warning disable CA1031 // The callers of this rebuild receive the exception; the next rebuild is not affected.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                asked.SetException(failure);
            }
        }

        return Task.CompletedTask;
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
