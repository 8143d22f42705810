namespace ServiceMesh.Core.Tests;

/// <summary>Limits that keep a broken test from hanging forever. No test waits for time to pass.</summary>
internal static class Failsafe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    public static Task Soon(this Task task) => task.WaitAsync(s_limit);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(s_limit);

    public static Task<T> Soon<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(s_limit);

    public static Task Soon(this ValueTask task) => task.AsTask().WaitAsync(s_limit);

    /// <summary>Waits for a condition that the test cannot await, such as a log line.</summary>
    public static async Task Until(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(s_limit);
        while (!condition())
        {
            await Task.Delay(1, limit.Token);
        }
    }

    /// <summary>
    /// Releases a handler even when the test fails: a node whose clock stands still would drain forever. Declare it after
    /// the node, so that it is disposed first.
    /// </summary>
    public static IDisposable ReleasedAtEnd(this TaskCompletionSource release) => new Releasing(release);

    public static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static TaskCompletionSource<T> Signal<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Releasing(TaskCompletionSource release) : IDisposable
    {
        public void Dispose() => release.TrySetResult();
    }
}
