namespace ServiceMesh;

/// <summary>
/// One execution of a composition, or a part of it with options of its own: the deadline and token that its steps share, and their way
/// out of the node.
/// </summary>
internal abstract class CompositionRun : IDisposable
{
    /// <summary>Fires when the deadline passes, when the caller cancels, or when the result of this part is not needed.</summary>
    public abstract CancellationToken Token { get; }

    /// <summary>What is left until the deadline.</summary>
    public abstract TimeSpan Remaining { get; }

    /// <summary>What travels with every step.</summary>
    public abstract Headers Headers { get; }

    /// <summary>True when the options say that all steps may run twice.</summary>
    public abstract bool IsIdempotent { get; }

    public abstract TimeProvider Clock { get; }

    /// <summary>Sends the request of one step.</summary>
    public abstract ValueTask<Reply<TOut>> RequestAsync<TIn, TOut>(Topic topic, bool isIdempotent, TIn input);

    /// <summary>Sends a signal.</summary>
    /// <exception cref="ServiceMeshException">It could not be sent.</exception>
    public abstract Task<SignalResult> SignalAsync<T>(SignalTopic<T> topic, T value);

    /// <summary>
    /// A part of this execution that ends with it or before it; null options for those of the execution. Dispose it when the part has
    /// ended.
    /// </summary>
    /// <exception cref="ArgumentException">The headers of both together are beyond their limits.</exception>
    public abstract CompositionRun Nest(RequestOptions? options);

    /// <summary>The result of this part is not needed: what runs in it is cancelled and throws, as for a caller that cancels.</summary>
    public abstract Task LoseAsync();

    /// <summary>
    /// The same execution as the step sees it that comes this number of steps later in the same pipe. Only an idempotency key
    /// depends on the place.
    /// </summary>
    public abstract CompositionRun After(int steps);

    /// <summary>The same execution as a branch of the form at this place sees it.</summary>
    public abstract CompositionRun Into(int branch);

    public abstract void Dispose();

    /// <summary>What a step answers that cannot go on, because the deadline has passed.</summary>
    /// <exception cref="OperationCanceledException">The caller has cancelled, or the result of this part is not needed.</exception>
    public ReplyFailure TimeIsUp(string step, bool begun)
    {
        var reply = GaveUpReply(step, begun);
        return new(reply.Status, step, reply.Error!, reply.NotProcessed) { MayRunAgain = reply.NotProcessed || IsIdempotent };
    }

    /// <summary>For a step that ends as it does whether or not the deadline has passed.</summary>
    /// <exception cref="OperationCanceledException">The caller has cancelled, or the result of this part is not needed.</exception>
    public void ThrowIfCancelled(string step)
    {
        if (Token.IsCancellationRequested)
        {
            GaveUpReply(step, begun: false);
        }
    }

    /// <summary>A local step that cannot go on because the deadline has passed.</summary>
    /// <exception cref="OperationCanceledException">The caller has cancelled, or the result of this part is not needed.</exception>
    public Reply<T> GaveUp<T>(string step, bool begun) => Failed<T>(TimeIsUp(step, begun));

    /// <summary>A local step that failed: reported here, because no other node knows of it.</summary>
    public Reply<T> Failed<T>(ReplyFailure failure)
    {
        Report(failure);
        return Reply<T>.Failed(failure);
    }

    protected abstract ReplyMessage GaveUpReply(string step, bool begun);

    protected abstract void Report(ReplyFailure failure);
}
