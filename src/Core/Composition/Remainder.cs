using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary>
/// The inner side of a <see cref="Resumption{TOut}"/>, which the forms of composition run. Every resumption is a remainder.
/// </summary>
internal abstract class Remainder<TOut>(int stepIndex) : Resumption<TOut>(stepIndex)
{
    public abstract ValueTask<Reply<TOut>> RunAsync(CompositionRun run);

    /// <summary>The same remainder with one more step at its end.</summary>
    public abstract Remainder<TNext> Then<TNext>(Composition<TOut, TNext> next);

    /// <summary>The same remainder as part of a longer pipe, with this number of steps before it.</summary>
    public abstract Remainder<TOut> MovedBy(int steps);
}

/// <summary>A remainder that begins with a known type.</summary>
internal sealed class Remainder<TIn, TOut>(Composition<TIn, TOut> rest, TIn input, int stepIndex = 0) : Remainder<TOut>(stepIndex)
{
    public override string Step => rest.FirstStep;

    public override string Remaining => rest.ToString();

    public override object? Input => input;

    public override Resumption<TOut> WithInput(object? input) => input switch
    {
        TIn typed => new Remainder<TIn, TOut>(rest, typed, StepIndex),
        null when default(TIn) is null => new Remainder<TIn, TOut>(rest, default!, StepIndex),
        _ => throw new ArgumentException(
            $"'{Step}' takes a {typeof(TIn).Name}, and this is a {input?.GetType().Name ?? "null"}.", nameof(input)),
    };

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<Reply<TOut>> RunAsync(CompositionRun run)
    {
        var reply = await rest.RunAsync(input, run).ConfigureAwait(false);
        return reply.IsSuccess ? reply : reply.ResumedBy(reply.Remainder?.MovedBy(StepIndex) ?? this);
    }

    public override Remainder<TNext> Then<TNext>(Composition<TOut, TNext> next) =>
        new Remainder<TIn, TNext>(new Pipe<TIn, TOut, TNext>(rest, next), input, StepIndex);

    public override Remainder<TOut> MovedBy(int steps) => new Remainder<TIn, TOut>(rest, input, StepIndex + steps);
}

internal static class Remainders
{
    extension<T>(Reply<T> reply)
    {
        /// <summary>The steps that the reply's composition did not complete; null when it completed all.</summary>
        public Remainder<T>? Remainder => (Remainder<T>?)reply.Resumption;
    }
}
