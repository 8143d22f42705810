namespace ServiceMesh;

/// <summary>A step that fails, whatever it is given.</summary>
/// <param name="failure">How.</param>
/// <param name="isNew">True when the failure happens here, and so is reported here.</param>
internal sealed class Fail<TIn, TOut>(ReplyFailure failure, bool isNew) : Composition<TIn, TOut>
{
    internal override ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        run.ThrowIfCancelled(Name);
        return new(isNew ? run.Failed<TOut>(failure) : Reply<TOut>.Failed(failure));
    }

    public override string ToString() => "fail";
}

/// <inheritdoc/>
internal sealed class Failure(ReplyFailure failure, bool isNew) : FailedStep
{
    internal override Composition<TIn, TOut> As<TIn, TOut>() => new Fail<TIn, TOut>(failure, isNew);
}

/// <summary>A step, and then a failure.</summary>
internal sealed class FailureAfter<TIn, TFirst>(Composition<TIn, TFirst> first, FailedStep failure) : FailedStep<TIn>
{
    internal override Composition<TIn, TOut> As<TOut>() => first.AndAnd(failure.As<TIn, TOut>());
}
