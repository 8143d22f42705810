namespace ServiceMesh.Http;

/// <summary>
/// Notifies observers of events in order, one at a time and outside any lock. If a second thread has an event while the first one
/// notifies, the first thread notifies of that event too, and the second thread does not wait. An observer that causes an event is
/// notified of it after the current one.
/// </summary>
/// <param name="notifyAll">Notifies of all pending events.</param>
internal sealed class OrderedNotifier(Action notifyAll)
{
    private int _calls;

    /// <summary>There may be pending events.</summary>
    public void Notify()
    {
        if (Interlocked.Increment(ref _calls) > 1)
        {
            return;
        }

        var seen = 1;
        do
        {
            notifyAll();
            seen = Interlocked.Add(ref _calls, -seen);
        }
        while (seen > 0);
    }

    /// <summary>
    /// Calls all handlers of an event. An exception of one handler stops neither the other handlers nor the call that caused the event:
    /// it is reported as the unobserved exception of a task (<see cref="TaskScheduler.UnobservedTaskException"/>).
    /// </summary>
    public static void Raise<T>(EventHandler<T>? handlers, object sender, T arguments)
    {
        foreach (var handler in Delegate.EnumerateInvocationList(handlers))
        {
            try
            {
                handler(sender, arguments);
            }
#pragma warning disable CA1031 // A handler is user code: whatever it throws, the request that caused the event is not affected.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                _ = Task.FromException(failure);
            }
        }
    }
}
