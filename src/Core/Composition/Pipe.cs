using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary><c>a | b</c>: the output of one is the input of the next; stops at the first failure.</summary>
internal sealed class Pipe<TIn, TMiddle, TOut>(Composition<TIn, TMiddle> first, Composition<TMiddle, TOut> second)
    : Composition<TIn, TOut>(Form.Around(first.Depth, second.Depth))
{
    internal override int StepCount { get; } = first.StepCount + second.StepCount;

    internal override string FirstStep => first.FirstStep;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var middle = await first.RunAsync(input, run).ConfigureAwait(false);
        if (!middle.IsSuccess)
        {
            var left = middle.Remainder ?? Whole(first, input, middle.Failure);
            return Reply<TOut>.Failed(middle.Failure, middle.Headers).ResumedBy(left.Then(second));
        }

        var last = await second.RunAsync(middle.Value!, run.After(first.StepCount)).ConfigureAwait(false);
        if (last.IsSuccess)
        {
            return last;
        }

        // The first step has run.
        var failure = last.Failure.NotProcessed ? new ReplyFailure(last.Failure, notProcessed: false) : last.Failure;
        return Reply<TOut>.Failed(failure, last.Headers, last.Value)
            .ResumedBy((last.Remainder ?? Whole(second, middle.Value!, last.Failure)).MovedBy(first.StepCount));
    }

    public override string ToString() => $"{first} | {second}";

    private static Remainder<TNext> Whole<T, TNext>(Composition<T, TNext> step, T input, ReplyFailure failure) =>
        new Remainder<T, TNext>(step, input) { WholeIsRepeatable = failure.MayRunAgain };
}
