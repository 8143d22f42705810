using System.Runtime.CompilerServices;

namespace ServiceMesh;

/// <summary><c>a | b</c>: the output of one is the input of the next; stops at the first failure.</summary>
internal sealed class Pipe<TIn, TMiddle, TOut>(Composition<TIn, TMiddle> first, Composition<TMiddle, TOut> second) : Composition<TIn, TOut>
{
    internal override int StepCount => first.StepCount + second.StepCount;

    internal override string FirstStep => first.FirstStep;

    internal override bool RunsLocalCode => first.RunsLocalCode || second.RunsLocalCode;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var middle = await first.RunAsync(input, run).ConfigureAwait(false);
        if (!middle.IsSuccess)
        {
            var left = middle.Remainder ?? new Remainder<TIn, TMiddle>(first, input);
            return Reply<TOut>.Failed(middle.Failure, middle.Headers).ResumedBy(left.Then(second));
        }

        var last = await second.RunAsync(middle.Value!, run).ConfigureAwait(false);
        return last.IsSuccess
            ? last
            : last.ResumedBy(
                last.Remainder?.MovedBy(first.StepCount) ?? new Remainder<TMiddle, TOut>(second, middle.Value!, first.StepCount));
    }

    public override string ToString() => $"{first} | {second}";
}
