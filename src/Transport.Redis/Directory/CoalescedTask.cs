namespace ServiceMesh.Redis;

/// <summary>
/// Runs one work at a time for many who ask: those that ask while it runs share one more run that begins after it, since what
/// is under way may have missed what they ask for. It runs for all of them, and so in the context of none. Thread-safe.
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
                return _running = CleanContext.RunAsync(work);
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
            _running = mine = CleanContext.RunAsync(work);
        }

        await mine.ConfigureAwait(false);
    }
}
