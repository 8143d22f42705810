namespace ServiceMesh.Benchmarks;

/// <summary>
/// Runs the same action on two threads that start together. The second thread is kept for all benchmarks, so that its start
/// does not count.
/// </summary>
internal static class Pair
{
    private static readonly Barrier s_both = new(2);
    private static readonly Lazy<Thread> s_other = new(Start);
    private static volatile Action s_action = () => { };

    public static void Run(Action action)
    {
        _ = s_other.Value;
        s_action = action;
        s_both.SignalAndWait();
        action();
        s_both.SignalAndWait();
    }

    private static Thread Start()
    {
        var other = new Thread(Follow) { IsBackground = true };
        other.Start();
        return other;
    }

    private static void Follow()
    {
        while (true)
        {
            s_both.SignalAndWait();
            s_action();
            s_both.SignalAndWait();
        }
    }
}
