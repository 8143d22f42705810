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

    /// <summary>What the failed step was given.</summary>
    public abstract object? Input { get; }

    /// <summary>The same remainder with another input for the failed step.</summary>
    /// <exception cref="ArgumentException">The input is not of the type that the step takes.</exception>
    public abstract Resumption<TOut> WithInput(object? input);
}
