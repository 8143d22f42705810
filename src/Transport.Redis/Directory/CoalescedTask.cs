namespace ServiceMesh.Redis;

/// <summary>
/// Runs one work at a time for many who ask: those that ask while it runs share one more run that begins after it, since what
/// is under way may have missed what they ask for. Thread-safe.
/// </summary>
internal sealed class CoalescedTask
{
    private readonly Lock _lock = new();
    private Task _running = Task.CompletedTask;
    private Task? _next;

    public Task RunAsync(Func<Task> work)
    {
        lock (_lock)
        {
            if (_running.IsCompleted)
            {
                return _running = Task.Run(work);
            }

            return _next ??= AfterAsync(_running, work);
        }
    }

    private async Task AfterAsync(Task before, Func<Task> work)
    {
        // Yields first: the caller holds the lock and has not kept this task yet.
        await Task.Yield();
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task mine;
        lock (_lock)
        {
            _next = null;
            _running = mine = Task.Run(work);
        }

        await mine.ConfigureAwait(false);
    }
}
