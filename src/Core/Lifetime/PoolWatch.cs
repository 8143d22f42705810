using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// Keeps the thread pool of this process responsive while handlers block its threads. Deadlines, refusals and answers run on the
/// pool; when all of its threads are blocked, the runtime adds one or two a second, and a deadline of one second may end after twenty.
/// A thread of its own sees within a fraction of a second that nothing is taken from the queue although the processors are idle, and
/// lets the pool add threads at once. One for the process, while a bus runs. Thread-safe.
/// </summary>
/// <remarks>Measured in real time and not by the clock of a bus: the pool is real whatever the clock says.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "The thread ends while another one sets the event, so neither can dispose it.")]
internal sealed class PoolWatch
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    // How long the oldest work may wait while the processors are idle.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    // After so long without a blocked pool the number of threads is the runtime's affair again.
    private static readonly TimeSpan s_calm = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_betweenWarnings = TimeSpan.FromMinutes(1);

    private const int LeastAdded = 8;
    private const int MostAdded = 64;
    private const int MaxThreads = 1024;

    // Above this part of all processors the work waits for processors, and more threads would only make it worse.
    private const double Busy = 0.75;

    private static readonly Lock s_lock = new();
    private static readonly List<ILogger> s_users = [];
    private static PoolWatch? s_running;

    private readonly ManualResetEventSlim _over = new();
    private Probe? _probe;
    private long _askedAt;
    private TimeSpan _processorTime;
    private long _lastAdded;
    private long _lastWarning;
    private int _usual;
    private int _raised;

    private PoolWatch() { }

    /// <summary>Watches until the returned object is disposed.</summary>
    /// <param name="logger">Is told when threads were added.</param>
    public static IDisposable Begin(ILogger logger)
    {
        lock (s_lock)
        {
            s_users.Add(logger);
            if (s_running is null)
            {
                s_running = new();
                new Thread(s_running.Run) { Name = "ServiceMesh pool watch", IsBackground = true }.UnsafeStart();
            }
        }

        return new User(logger);
    }

    private static void End(ILogger logger)
    {
        lock (s_lock)
        {
            s_users.Remove(logger);
            if (s_users.Count == 0)
            {
                s_running?._over.Set();
                s_running = null;
            }
        }
    }

    private void Run()
    {
        while (!_over.Wait(s_interval))
        {
            Look();
        }

        GiveBack();
    }

    private void Look()
    {
        var now = Stopwatch.GetTimestamp();
        if (_probe is null or { HasRun: true })
        {
            if (_raised > 0 && Stopwatch.GetElapsedTime(_lastAdded, now) > s_calm)
            {
                GiveBack();
            }

            // Nothing waits, nothing to ask: an idle process stays idle.
            _probe = null;
            if (ThreadPool.PendingWorkItemCount > 0)
            {
                Ask(now, new());
            }
        }
        else if (Stopwatch.GetElapsedTime(_askedAt, now) is var waited && waited >= s_patience)
        {
            var used = Environment.CpuUsage.TotalTime - _processorTime;
            if (used < waited * Busy * Environment.ProcessorCount)
            {
                AddThreads(now);
            }

            Ask(now, _probe);
        }
    }

    private void Ask(long now, Probe probe)
    {
        (_askedAt, _processorTime) = (now, Environment.CpuUsage.TotalTime);
        if (_probe != probe)
        {
            _probe = probe;
            ThreadPool.UnsafeQueueUserWorkItem(probe, preferLocal: false);
        }
    }

    private void AddThreads(long now)
    {
        ThreadPool.GetMinThreads(out var least, out var completion);
        ThreadPool.GetMaxThreads(out var most, out _);
        var added = (int)Math.Clamp(ThreadPool.PendingWorkItemCount, LeastAdded, MostAdded);
        var wanted = Math.Min(Math.Min(ThreadPool.ThreadCount + added, MaxThreads), most);
        if (wanted <= least || !ThreadPool.SetMinThreads(wanted, completion))
        {
            return;
        }

        _usual = _raised == least ? _usual : least;
        (_raised, _lastAdded) = (wanted, now);
        if (_lastWarning == 0 || Stopwatch.GetElapsedTime(_lastWarning, now) >= s_betweenWarnings)
        {
            _lastWarning = now;
            Warn(wanted);
        }
    }

    // Unless the application has set the number meanwhile.
    private void GiveBack()
    {
        ThreadPool.GetMinThreads(out var least, out var completion);
        if (_raised > 0 && least == _raised)
        {
            ThreadPool.SetMinThreads(_usual, completion);
        }

        _raised = 0;
    }

    private static void Warn(int threads)
    {
        ILogger? logger;
        lock (s_lock)
        {
            logger = s_users.FirstOrDefault();
        }

        // On the pool, which has threads now: a logger is other code, which may block or throw.
        if (logger is not null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static told => Log.PoolBlocked(told.logger, told.threads), (logger, threads), preferLocal: false);
        }
    }

    /// <summary>A work item that is behind all that waited when it was queued.</summary>
    private sealed class Probe : IThreadPoolWorkItem
    {
        private volatile bool _hasRun;

        public bool HasRun => _hasRun;

        public void Execute() => _hasRun = true;
    }

    private sealed class User(ILogger logger) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                End(logger);
            }
        }
    }
}
