using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// The time that stopping may take: one budget, the drain timeout, for all steps. The steps after the handlers get the rest of it, and
/// at least a second each, to notice a cancellation, file the last reports and disconnect.
/// </summary>
internal sealed class ShutdownBudget(TimeSpan drainTimeout, ILogger logger, TimeProvider clock)
{
    private Deadline _deadline;

    public static TimeSpan LeastForAStep { get; } = TimeSpan.FromSeconds(1);

    public TimeSpan DrainTimeout => drainTimeout;

    public TimeSpan Left => _deadline.Remaining;

    public TimeSpan LeftForAStep => Left > LeastForAStep ? Left : LeastForAStep;

    /// <summary>The time counts from now on.</summary>
    public void Begin() => _deadline = Deadline.After(drainTimeout, clock);

    /// <summary>The time is over: what is left to do has the least time for each step.</summary>
    public void End() => _deadline = Deadline.After(TimeSpan.Zero, clock);

    /// <summary>Runs one step of the transport within the time. A step that fails is logged, and stopping continues.</summary>
    public async Task AttemptAsync(string step, TimeSpan time, Func<CancellationToken, Task> action)
    {
        using var limit = new CancellationTokenSource(time, clock);
        try
        {
            await action(limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            Log.TransportStopFailed(logger, step, failure);
        }
    }

    /// <summary>Waits for a task; false when it has not ended within the time.</summary>
    public async Task<bool> EndsWithinAsync(Task task, TimeSpan time)
    {
        try
        {
            await task.WaitAsync(time, clock).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
