namespace ServiceMesh;

/// <summary>
/// What a failed composition left undone: the step that failed with the input it had, and all that would have come
/// after it. Immutable; may be kept, and resumed more than once with <see cref="IServiceBus.TryResumeAsync"/>.
/// </summary>
public abstract class Resumption<TOut>
{
    private protected Resumption(int stepIndex) => StepIndex = stepIndex;

    /// <summary>Which step of the outermost pipe failed, counted from 0. A form other than a pipe counts as one step.</summary>
    public int StepIndex { get; }

    /// <summary>The step that failed, in words.</summary>
    public abstract string Step { get; }

    /// <summary>All that is left, the failed step first, in words.</summary>
    public abstract string Remaining { get; }

    /// <summary>The same, of a bounded length.</summary>
    internal abstract string Name { get; }

    /// <summary>What the failed step was given.</summary>
    public abstract object? Input { get; }

    /// <summary>
    /// True when resuming cannot do anything twice that may not be done twice: no handler and no local function of the failed step ran,
    /// or they may run twice (an idempotent topic, an idempotency key, options that say so).
    /// </summary>
    public abstract bool IsRepeatable { get; }

    /// <summary>
    /// The same without what succeeded inside the failed step: of a parallel only the branches that failed run again, each from its own
    /// failed step on, and the replies of the others are kept. The resumption itself when nothing inside the step succeeded.
    /// </summary>
    public abstract Resumption<TOut> FailedOnly { get; }

    /// <summary>The same remainder with another input for the failed step.</summary>
    /// <exception cref="ArgumentException">The input is not of the type that the step takes.</exception>
    /// <exception cref="InvalidOperationException">
    /// It is <see cref="FailedOnly"/>, which keeps replies to the input that the step had.
    /// </exception>
    public abstract Resumption<TOut> WithInput(object? input);
}
