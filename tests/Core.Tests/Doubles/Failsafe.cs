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

    /// <summary>
    /// Lets a handler go also when the test fails: a node whose clock stands still would drain for ever. Declare it after
    /// the node, so that it goes first.
    /// </summary>
    public static IDisposable ReleasedAtEnd(this TaskCompletionSource release) => new Releasing(release);

    public static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static TaskCompletionSource<T> Signal<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Releasing(TaskCompletionSource release) : IDisposable
    {
        public void Dispose() => release.TrySetResult();
    }
}
