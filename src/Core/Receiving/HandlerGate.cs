namespace ServiceMesh;

/// <summary>
/// Limits one handler: up to <c>maxConcurrency</c> messages run, up to <c>maxQueued</c> wait in the order of arrival, and further
/// messages are refused. It also knows when the last message has left, which draining waits for. Thread-safe.
/// </summary>
internal sealed class HandlerGate(int maxConcurrency, int maxQueued)
{
    // Set while messages wait or the gate is closed. Then, and only then, places change hands under the lock alone.
    private const int Slow = 1 << 30;

    private readonly Lock _lock = new();
    private readonly LinkedList<Ticket> _waiting = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // How many run, and the flag.
    private int _state;
    private bool _closed;

    public int Running => Volatile.Read(ref _state) & ~Slow;

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

    /// <summary>How many may run and wait in all.</summary>
    public int Places => maxConcurrency + maxQueued;

    /// <summary>0 is idle, 1 is full, more is a queue.</summary>
    public double Load => (double)(Running is var running && running < maxConcurrency ? running : InFlight) / maxConcurrency;

    public bool IsFull
    {
        get
        {
            lock (_lock)
            {
                return Running >= maxConcurrency && _waiting.Count >= maxQueued;
            }
        }
    }

    /// <summary>Takes a place to run or to wait. Null when the gate is full or closed.</summary>
    public Ticket? TryEnter(out bool closed)
    {
        closed = false;
        return TryRun() ? Ticket.ToRun : TryWait(out closed);
    }

    /// <summary>Gives the place of a running one to the first that waits.</summary>
    public void Leave()
    {
        for (var state = Volatile.Read(ref _state); (state & Slow) == 0;)
        {
            var seen = Interlocked.CompareExchange(ref _state, state - 1, state);
            if (seen == state)
            {
                return;
            }

            state = seen;
        }

        PassOn()?.Call();
    }

    /// <summary>Gives up waiting. False when the turn has come meanwhile: then the place must be left instead.</summary>
    public bool TryAbandon(Ticket ticket)
    {
        // Those who may run at once share a ticket, which never waits.
        if (ticket == Ticket.ToRun)
        {
            return false;
        }

        lock (_lock)
        {
            if (ticket.Place is null)
            {
                return false;
            }

            _waiting.Remove(ticket.Place);
            ticket.Place = null;
            AfterChangeNeedsLock();
            return true;
        }
    }

    /// <summary>Admits no message from now on. The task ends when the last that runs or waits has left.</summary>
    public Task CloseAsync()
    {
        lock (_lock)
        {
            _closed = true;
            Interlocked.Or(ref _state, Slow);
            AfterChangeNeedsLock();
        }

        return _empty.Task;
    }

    private bool TryRun()
    {
        for (var state = Volatile.Read(ref _state); state < maxConcurrency;) // the flag makes it larger than any limit
        {
            var seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state)
            {
                return true;
            }

            state = seen;
        }

        return false;
    }

    private Ticket? TryWait(out bool closed)
    {
        lock (_lock)
        {
            closed = _closed;
            if (_closed)
            {
                return null;
            }

            // Without the flag a place may become free at this very moment: it is taken, or the flag is set while all are taken.
            for (var state = Volatile.Read(ref _state); (state & Slow) == 0; state = Volatile.Read(ref _state))
            {
                if (TryRun())
                {
                    return Ticket.ToRun;
                }

                if (maxQueued == 0)
                {
                    return null;
                }

                Interlocked.CompareExchange(ref _state, maxConcurrency | Slow, maxConcurrency);
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

    private Ticket? PassOn()
    {
        lock (_lock)
        {
            var next = _waiting.First?.Value;
            if (next is not null)
            {
                // The place passes from one to the next, so the number of running ones does not change.
                _waiting.RemoveFirst();
                next.Place = null;
            }
            else
            {
                Interlocked.Decrement(ref _state);
            }

            AfterChangeNeedsLock();
            return next;
        }
    }

    // After a change under the flag: the last has left a closed gate, or the fast way is free again.
    private void AfterChangeNeedsLock()
    {
        if (_waiting.Count > 0)
        {
            return;
        }

        if (!_closed)
        {
            Interlocked.And(ref _state, ~Slow);
        }
        else if (Running == 0)
        {
            _empty.TrySetResult();
        }
    }

    /// <summary>A place in the gate. Those that may run at once share one; those that wait hold their own.</summary>
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
