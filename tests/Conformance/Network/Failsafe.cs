using System.Diagnostics;

namespace ServiceMesh.Conformance;

/// <summary>
/// Makes a hang a failure. The limit is far beyond what anything here takes, so that it decides nothing but that.
/// </summary>
public static class Failsafe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    public static Task InTime(this Task task) => task.WaitAsync(s_limit);

    public static Task<T> InTime<T>(this Task<T> task) => task.WaitAsync(s_limit);

    /// <summary>Waits for something that no event tells of.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            if (waited.Elapsed > s_limit)
            {
                throw new TimeoutException("What the test waits for has not come about.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
    }

    /// <inheritdoc cref="UntilAsync(Func{Task{bool}})"/>
    public static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));
}
