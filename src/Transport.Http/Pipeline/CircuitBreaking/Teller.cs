namespace ServiceMesh.Http;

/// <summary>
/// Tells observers what happened, one thing after the other and outside of any lock. Whoever has news while another thread
/// tells leaves it to that one and goes on, so order is kept and nobody waits; an observer that causes news is told after.
/// </summary>
/// <param name="tellNews">Tells all the news that there are.</param>
internal sealed class Teller(Action tellNews)
{
    private int _calls;

    /// <summary>There may be news.</summary>
    public void Tell()
    {
        if (Interlocked.Increment(ref _calls) > 1)
        {
            return;
        }

        var seen = 1;
        do
        {
            tellNews();
            seen = Interlocked.Add(ref _calls, -seen);
        }
        while (seen > 0);
    }

    /// <summary>
    /// Tells all observers of an event. What one throws stops nobody, neither the others nor the call that caused the news:
    /// it is reported as the unobserved exception of a task (<see cref="TaskScheduler.UnobservedTaskException"/>).
    /// </summary>
    public static void Raise<T>(EventHandler<T>? observers, object sender, T news)
    {
        foreach (var observer in Delegate.EnumerateInvocationList(observers))
        {
            try
            {
                observer(sender, news);
            }
#pragma warning disable CA1031 // An observer is user code: whatever it throws, a request has no part in it.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                _ = Task.FromException(failure);
            }
        }
    }
}
