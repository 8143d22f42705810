using System.Runtime.CompilerServices;

namespace ServiceMesh.Redis;

/// <summary>
/// The way back from the client to the application. The client continues its awaiters on the thread that reads for it, and
/// the next answer comes only when that returns: the application's code must never run there.
/// </summary>
internal static class Pool
{
    /// <summary>Ends as the task does, on a thread of the pool.</summary>
    public static async Task<T> ReturnAsync<T>(Task<T> task)
    {
        try
        {
            return await task.ConfigureAwait(false);
        }
        finally
        {
            await HopAsync();
        }
    }

    /// <summary>Ends as the task does, on a thread of the pool.</summary>
    public static async Task ReturnAsync(Task task)
    {
        try
        {
            await task.ConfigureAwait(false);
        }
        finally
        {
            await HopAsync();
        }
    }

    /// <summary>
    /// What follows runs on the pool. Forcing helps only with a task that has ended: one that has not goes on
    /// where it ends.
    /// </summary>
    public static ConfiguredTaskAwaitable HopAsync() => Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
}
