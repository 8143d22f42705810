using System.Diagnostics;

namespace ServiceMesh.Conformance;

/// <summary>
/// Turns a hang into a failure. The limit is far longer than any step of a test takes, so it changes no other result.
/// </summary>
public static class Failsafe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    public static Task InTime(this Task task) => task.WaitAsync(s_limit);

    public static Task<T> InTime<T>(this Task<T> task) => task.WaitAsync(s_limit);

    /// <summary>Waits for a condition that no event reports.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            if (waited.Elapsed > s_limit)
            {
                throw new TimeoutException($"The condition that the test waits for did not become true within {s_limit}.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
    }

    /// <inheritdoc cref="UntilAsync(Func{Task{bool}})"/>
    public static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));
}
