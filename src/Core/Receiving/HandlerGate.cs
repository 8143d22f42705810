namespace ServiceMesh;

/// <summary>
/// Admission to one handler: so many run, so many wait in order of arrival, the rest is refused. Also knows when the
/// last one has left, which is what draining waits for.
/// </summary>
internal sealed class HandlerGate(int maxConcurrency, int maxQueued)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Ticket> _waiting = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;
    private bool _closed;

    public int Running => Volatile.Read(ref _running);

    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count;
            }
        }
    }

    public int InFlight => Running + Waiting;

    /// <summary>0 is idle, 1 is full, more is a queue.</summary>
    public double Load => (double)(Running is var running && running < maxConcurrency ? running : InFlight) / maxConcurrency;

    public bool IsFull
    {
        get
        {
            lock (_lock)
            {
                return _running >= maxConcurrency && _waiting.Count >= maxQueued;
            }
        }
    }

    /// <summary>Takes a place to run or to wait. Null when the gate is full or closed.</summary>
    public Ticket? TryEnter(out bool closed)
    {
        lock (_lock)
        {
            closed = _closed;
            if (_closed)
            {
                return null;
            }

            if (_running < maxConcurrency)
            {
                _running++;
                return Ticket.ToRun;
            }

            if (_waiting.Count >= maxQueued)
            {
                return null;
            }

            var ticket = new Ticket();
            ticket.Place = _waiting.AddLast(ticket);
            return ticket;
        }
    }

    /// <summary>Gives the place of a running one to the first who waits.</summary>
    public void Leave()
    {
        Ticket? next = null;
        lock (_lock)
        {
            if (_waiting.First is { } first)
            {
                // The place passes from one to the next, so the number of running ones does not change.
                next = first.Value;
                _waiting.RemoveFirst();
                next.Place = null;
            }
            else
            {
                _running--;
                CompleteWhenEmptyNeedsLock();
            }
        }

        next?.Call();
    }

    /// <summary>Gives up waiting. False when the turn has come meanwhile: then the place must be left instead.</summary>
    public bool TryAbandon(Ticket ticket)
    {
        lock (_lock)
        {
            if (ticket.Place is null)
            {
                return false;
            }

            _waiting.Remove(ticket.Place);
            ticket.Place = null;
            CompleteWhenEmptyNeedsLock();
            return true;
        }
    }

    /// <summary>Admits nobody from now on. The task ends when the last who runs or waits has left.</summary>
    public Task CloseAsync()
    {
        lock (_lock)
        {
            _closed = true;
            CompleteWhenEmptyNeedsLock();
        }

        return _empty.Task;
    }

    private void CompleteWhenEmptyNeedsLock()
    {
        if (_closed && _running == 0 && _waiting.Count == 0)
        {
            _empty.TrySetResult();
        }
    }

    /// <summary>A place in the gate. Those who may run at once share one; those who wait hold their own.</summary>
    internal sealed class Ticket
    {
        public static readonly Ticket ToRun = new(alreadyCalled: true);

        private readonly TaskCompletionSource? _turn;

        public Ticket(bool alreadyCalled = false) =>
            _turn = alreadyCalled ? null : new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Ends when this one may run.</summary>
        public Task Turn => _turn?.Task ?? Task.CompletedTask;

        /// <summary>Where it stands in the queue; null when it does not wait. Guarded by the gate's lock.</summary>
        public LinkedListNode<Ticket>? Place { get; set; }

        public void Call() => _turn!.SetResult();
    }
}
