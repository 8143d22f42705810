using System.Runtime.CompilerServices;

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

    internal abstract ValueTask<Reply<TOut>> RunAsync(CompositionRun run);

    internal abstract Resumption<TNext> Then<TNext>(Composition<TOut, TNext> next);

    internal abstract Resumption<TOut> MovedBy(int steps);
}

/// <summary>A remainder that begins with a known type.</summary>
internal sealed class Resumption<TIn, TOut>(Composition<TIn, TOut> rest, TIn input, int stepIndex = 0) : Resumption<TOut>(stepIndex)
{
    public override string Step => rest.FirstStep;

    public override string Remaining => rest.ToString();

    public override object? Input => input;

    public override Resumption<TOut> WithInput(object? input) => input switch
    {
        TIn typed => new Resumption<TIn, TOut>(rest, typed, StepIndex),
        null when default(TIn) is null => new Resumption<TIn, TOut>(rest, default!, StepIndex),
        _ => throw new ArgumentException($"'{Step}' takes a {typeof(TIn).Name}, and this is a {input?.GetType().Name ?? "null"}.", nameof(input)),
    };

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal override async ValueTask<Reply<TOut>> RunAsync(CompositionRun run)
    {
        var reply = await rest.RunAsync(input, run).ConfigureAwait(false);
        return reply.IsSuccess ? reply : reply.ResumedBy(reply.Resumption?.MovedBy(StepIndex) ?? this);
    }

    internal override Resumption<TNext> Then<TNext>(Composition<TOut, TNext> next) =>
        new Resumption<TIn, TNext>(new Pipe<TIn, TOut, TNext>(rest, next), input, StepIndex);

    internal override Resumption<TOut> MovedBy(int steps) => new Resumption<TIn, TOut>(rest, input, StepIndex + steps);
}
