using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary>
/// The inner side of a <see cref="Resumption{TOut}"/>, which the forms of composition run. Every resumption is a remainder.
/// </summary>
internal abstract class Remainder<TOut>(int stepIndex) : Resumption<TOut>(stepIndex)
{
    /// <inheritdoc cref="Resumption{TOut}.FailedOnly"/>
    public abstract Remainder<TOut> FailedPart { get; }

    public override Resumption<TOut> FailedOnly => FailedPart;

    public abstract ValueTask<Reply<TOut>> RunAsync(CompositionRun run);

    /// <summary>The same remainder with one more step at its end.</summary>
    public abstract Remainder<TNext> Then<TNext>(Composition<TOut, TNext> next);

    /// <summary>The same remainder as part of a longer pipe, with this number of steps before it.</summary>
    public abstract Remainder<TOut> MovedBy(int steps);
}

/// <summary>A remainder that begins with a known type.</summary>
internal sealed class Remainder<TIn, TOut>(Composition<TIn, TOut> rest, TIn input, int stepIndex = 0) : Remainder<TOut>(stepIndex)
{
    /// <summary>What is left of the rest when the parts that succeeded are kept; null when all of it is.</summary>
    public Composition<TIn, TOut>? Left { get; init; }

    public bool WholeIsRepeatable { get; init; }

    public bool LeftIsRepeatable { get; init; }

    public override bool IsRepeatable => WholeIsRepeatable;

    // True when the rest keeps replies to this input, so that it takes no other.
    private bool KeepsReplies { get; init; }

    public override Remainder<TOut> FailedPart => Left is null
        ? this
        : new Remainder<TIn, TOut>(Left, input, StepIndex) { WholeIsRepeatable = LeftIsRepeatable, KeepsReplies = true };

    public override string Step => rest.FirstStep;

    public override string Remaining => rest.ToString();

    internal override string Name => rest.Name;

    public override object? Input => input;

    public override Resumption<TOut> WithInput(object? input) => input switch
    {
        _ when KeepsReplies => throw new InvalidOperationException(
            $"What is left of '{Step}' keeps replies to the input that it had. Give another input to the resumption of the whole step."),
        TIn typed => new Remainder<TIn, TOut>(rest, typed, StepIndex) { WholeIsRepeatable = WholeIsRepeatable },
        null when default(TIn) is null => new Remainder<TIn, TOut>(rest, default!, StepIndex) { WholeIsRepeatable = WholeIsRepeatable },
        _ => throw new ArgumentException(
            $"'{Step}' takes a {typeof(TIn).Name}, and this is a {input?.GetType().Name ?? "null"}.", nameof(input)),
    };

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<Reply<TOut>> RunAsync(CompositionRun run)
    {
        var reply = await rest.RunAsync(input, StepIndex == 0 ? run : run.After(StepIndex)).ConfigureAwait(false);
        return reply.IsSuccess ? reply : reply.ResumedBy(After(reply));
    }

    public override Remainder<TNext> Then<TNext>(Composition<TOut, TNext> next) =>
        new Remainder<TIn, TNext>(new Pipe<TIn, TOut, TNext>(rest, next), input, StepIndex)
        {
            Left = Left is null ? null : new Pipe<TIn, TOut, TNext>(Left, next),
            WholeIsRepeatable = WholeIsRepeatable,
            LeftIsRepeatable = LeftIsRepeatable,
            KeepsReplies = KeepsReplies,
        };

    public override Remainder<TOut> MovedBy(int steps) => new Remainder<TIn, TOut>(rest, input, StepIndex + steps)
    {
        Left = Left,
        WholeIsRepeatable = WholeIsRepeatable,
        LeftIsRepeatable = LeftIsRepeatable,
        KeepsReplies = KeepsReplies,
    };

    // What is left after this remainder failed in turn.
    private Remainder<TOut> After(Reply<TOut> reply)
    {
        if (reply.Remainder is not { } left)
        {
            return new Remainder<TIn, TOut>(rest, input, StepIndex)
            {
                WholeIsRepeatable = reply.Failure!.MayRunAgain,
                KeepsReplies = KeepsReplies,
            };
        }

        // The form that keeps replies failed again. It is the first step of the rest.
        return KeepsReplies && left is Remainder<TIn, TOut> { StepIndex: 0 } again
            ? new Remainder<TIn, TOut>(again.Rest, input, StepIndex)
            {
                Left = again.Left,
                WholeIsRepeatable = again.WholeIsRepeatable,
                LeftIsRepeatable = again.LeftIsRepeatable,
                KeepsReplies = true,
            }
            : left.MovedBy(StepIndex);
    }

    private Composition<TIn, TOut> Rest => rest;
}

internal static class Remainders
{
    extension<T>(Reply<T> reply)
    {
        /// <summary>The steps that the reply's composition did not complete; null when it completed all.</summary>
        public Remainder<T>? Remainder => (Remainder<T>?)reply.Resumption;
    }
}
