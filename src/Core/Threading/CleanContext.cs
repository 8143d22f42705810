namespace ServiceMesh;

/// <summary>
/// The execution context of code that belongs to no caller: no <see cref="AsyncLocal{T}"/> value, no culture of a caller and no
/// current span. Handlers start in it, and so do the loops of the bus, which would otherwise keep the context of the code that
/// happened to start them for as long as they run. Thread-safe.
/// </summary>
internal static class CleanContext
{
    private static readonly ExecutionContext s_clean = Capture();

    /// <summary>
    /// Leaves the caller's context for the rest of an asynchronous method and of what it calls. To be called in an asynchronous method
    /// only: its caller gets its own context back when the method returns.
    /// </summary>
    public static void Enter() => ExecutionContext.Restore(s_clean);

    /// <summary>Runs work on the pool, in the clean context.</summary>
    public static async Task RunAsync(Func<Task> work)
    {
        Enter();
        await Task.Run(work).ConfigureAwait(false);
    }

    /// <summary>Calls a function right here, in the clean context: to make what keeps a context, such as a timer.</summary>
    public static T Call<T>(Func<T> make)
    {
        var made = default(T);
        ExecutionContext.Run(s_clean, _ => made = make(), null);
        return made!;
    }

    // A thread that is started this way has no context of its starter.
    private static ExecutionContext Capture()
    {
        ExecutionContext? captured = null;
        var thread = new Thread(() => captured = ExecutionContext.Capture()) { Name = "ServiceMesh context" };
        thread.UnsafeStart();
        thread.Join();
        return captured!;
    }
}
