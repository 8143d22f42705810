using System.Threading.Channels;

namespace ServiceMesh.Conformance;

/// <summary>
/// A handler that a test holds: says when a message has reached it, stays until it is let go, and then answers with what
/// it was asked. Thread-safe.
/// </summary>
/// <param name="heedsToken">False for a handler that does not look at its token.</param>
public sealed class Held(bool heedsToken = true)
{
    private readonly Channel<string> _entered = Channel.CreateUnbounded<string>();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<TimeSpan> _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _calls;

    /// <summary>How many messages have reached it.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Ends when its token has fired, with what was left of the deadline then.</summary>
    public Task<TimeSpan> Cancelled => _cancelled.Task.InTime();

    public bool WasCancelled => _cancelled.Task.IsCompleted;

    /// <summary>Ends when one more message has reached it, with what that was.</summary>
    public Task<string> EnteredAsync() => _entered.Reader.ReadAsync().AsTask().InTime();

    /// <summary>Lets go of all who are there and all who will come.</summary>
    public void Release() => _released.TrySetResult();

    public async Task<string> HandleAsync(string input, HandlerContext context)
    {
        Interlocked.Increment(ref _calls);
        _entered.Writer.TryWrite(input);
        if (!heedsToken)
        {
            await _released.Task;
            return input;
        }

        try
        {
            await _released.Task.WaitAsync(context.CancellationToken);
        }
        catch (OperationCanceledException)
        {
            _cancelled.TrySetResult(context.Remaining);
            throw;
        }

        return input;
    }
}
