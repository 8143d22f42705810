namespace ServiceMesh;

/// <summary>Steps that run at once, or a bounded number at a time. A form ends when all of its branches have.</summary>
internal static class Branches
{
    /// <summary>Runs one branch for each number from 0, and returns when all have ended.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="maxConcurrency">How many run at a time.</param>
    /// <param name="run">Runs one branch.</param>
    /// <param name="state">Given to each branch.</param>
    public static async Task RunAsync<TState>(int count, int maxConcurrency, Func<int, TState, Task> run, TState state)
    {
        var next = -1;
        var running = new Task[Math.Min(count, maxConcurrency)];
        for (var i = 0; i < running.Length; i++)
        {
            running[i] = running.Length == count ? StartAsync(i) : WorkAsync();
        }

        await Task.WhenAll(running).ConfigureAwait(false);

        // A branch that throws before its first wait must not hold up the start of the others.
        async Task StartAsync(int branch) => await run(branch, state).ConfigureAwait(false);

        async Task WorkAsync()
        {
            for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
            {
                await run(i, state).ConfigureAwait(false);
            }
        }
    }
}
