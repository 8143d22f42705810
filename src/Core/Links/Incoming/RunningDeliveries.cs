using System.Collections.Concurrent;

namespace ServiceMesh.Links;

/// <summary>
/// What runs here for other nodes. A request that arrives twice runs once, a cancellation reaches the handler that runs for
/// it, and the departure of a node cancels everything that runs for that node. Thread-safe.
/// </summary>
/// <param name="onEnded">Is given each outcome, to send it back.</param>
internal sealed class RunningDeliveries(Action<RunningDelivery, ReplyMessage> onEnded)
{
    private readonly ConcurrentDictionary<(string Sender, long Id), RunningDelivery> _running = new();
    private TaskCompletionSource? _empty;
    private int _count;

    /// <summary>How many run and wait for their turn: this node's load.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Runs an accepted delivery on the pool. False when one with this id runs already; then the place is given back.</summary>
    public bool TryStart(string sender, long id, Delivery delivery)
    {
        var running = new RunningDelivery(this, sender, id, delivery);
        Interlocked.Increment(ref _count); // first: it is not to be missed by what waits for the end of all
        if (!_running.TryAdd((sender, id), running))
        {
            EndOne();
            delivery.Withdraw();
            return false;
        }

        ThreadPool.UnsafeQueueUserWorkItem(running, preferLocal: false);
        return true;
    }

    /// <summary>The caller of a request has stopped waiting.</summary>
    public void Cancel(string sender, long id)
    {
        if (_running.TryGetValue((sender, id), out var running))
        {
            running.Cancel();
        }
    }

    /// <summary>True while a request runs here or waits for its turn.</summary>
    public bool Contains(string sender, long id) => _running.ContainsKey((sender, id));

    /// <summary>True while something runs here, or waits for its turn, for a node.</summary>
    public bool ContainsAny(string sender)
    {
        foreach (var ((of, _), _) in _running)
        {
            if (of == sender)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Ends when nothing runs here or waits for its turn: then every reply stands in line. One waits at a time.</summary>
    public Task EmptyAsync()
    {
        var empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _empty, empty);
        if (Count == 0)
        {
            empty.TrySetResult();
        }

        return empty.Task;
    }

    /// <summary>A node is gone: what runs for it is cancelled.</summary>
    public void Departed(string sender)
    {
        foreach (var ((of, _), running) in _running)
        {
            if (of == sender)
            {
                running.Cancel();
            }
        }
    }

    internal void End(RunningDelivery running, ReplyMessage reply)
    {
        // The reply stands in line before the request counts as ended: the answer to a question about it comes behind the reply.
        onEnded(running, reply);
        if (_running.TryRemove((running.Sender, running.Id), out _))
        {
            EndOne();
        }
    }

    private void EndOne()
    {
        if (Interlocked.Decrement(ref _count) == 0)
        {
            Volatile.Read(ref _empty)?.TrySetResult();
        }
    }
}
