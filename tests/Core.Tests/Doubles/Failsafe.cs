namespace ServiceMesh.Core.Tests;

/// <summary>No test waits for time to pass. These only stop a broken one from hanging for ever.</summary>
internal static class Failsafe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    public static Task Soon(this Task task) => task.WaitAsync(s_limit);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(s_limit);

    public static Task<T> Soon<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(s_limit);

    public static Task Soon(this ValueTask task) => task.AsTask().WaitAsync(s_limit);

    /// <summary>For what happens behind the back of the test and cannot be awaited, such as a log line.</summary>
    public static async Task Until(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(s_limit);
        while (!condition())
        {
            await Task.Delay(1, limit.Token);
        }
    }

    public static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static TaskCompletionSource<T> Signal<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
