namespace ServiceMesh;

/// <summary>
/// A step that fails, whatever it is given and whatever it should end with: it converts to every
/// <see cref="Composition{TIn,TOut}"/>. Made by <see cref="Compose.Fail(ReplyFailure)"/>. Immutable and thread-safe.
/// </summary>
public abstract class FailedStep
{
    private protected FailedStep() { }

    internal abstract Composition<TIn, TOut> As<TIn, TOut>();
}

/// <summary>
/// Steps that end with a failure in any case: they convert to every <see cref="Composition{TIn,TOut}"/> with their input. Made by
/// <see cref="Compose.AndAnd{TIn,TFirst}(Composition{TIn,TFirst},FailedStep)"/>. Immutable and thread-safe.
/// </summary>
public abstract class FailedStep<TIn>
{
    private protected FailedStep() { }

    internal abstract Composition<TIn, TOut> As<TOut>();
}
