namespace ServiceMesh;

/// <summary>One execution of a composition: the one deadline and token that its steps share, and their way out of the node.</summary>
internal abstract class CompositionRun
{
    /// <summary>Fires when the deadline passes or the caller cancels.</summary>
    public abstract CancellationToken Token { get; }

    /// <summary>Sends the request of one step.</summary>
    public abstract ValueTask<Reply<TOut>> RequestAsync<TIn, TOut>(Topic topic, bool isIdempotent, TIn input);

    /// <summary>A local step that cannot go on because the deadline has passed or the caller has cancelled.</summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public Reply<T> GaveUp<T>(string step, bool begun)
    {
        var reply = GaveUpReply(step, begun);
        return Failed<T>(new(reply.Status, step, reply.Error!, reply.NotProcessed));
    }

    /// <summary>A local step that failed: reported here, because no other node knows of it.</summary>
    public Reply<T> Failed<T>(ReplyFailure failure)
    {
        Report(failure);
        return Reply<T>.Failed(failure);
    }

    protected abstract ReplyMessage GaveUpReply(string step, bool begun);

    protected abstract void Report(ReplyFailure failure);
}
