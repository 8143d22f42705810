using System.Threading.Channels;

namespace ServiceMesh.Conformance;

/// <summary>
/// A handler that a test controls: it reports each message that reaches it, waits until the test releases it, and then answers
/// with its input. Thread-safe.
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

    /// <summary>Completes when its token has fired, with the time that was left until the deadline.</summary>
    public Task<TimeSpan> Cancelled => _cancelled.Task.InTime();

    public bool WasCancelled => _cancelled.Task.IsCompleted;

    /// <summary>Completes with the next message that reaches the handler.</summary>
    public Task<string> EnteredAsync() => _entered.Reader.ReadAsync().AsTask().InTime();

    /// <summary>Releases all calls: those that wait and those that come later.</summary>
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
