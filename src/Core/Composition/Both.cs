namespace ServiceMesh;

/// <summary>Two steps with different results at once. Ends with both values, or with the highest status and both replies.</summary>
internal sealed class Both<TIn, TFirst, TSecond>(Composition<TIn, TFirst> first, Composition<TIn, TSecond> second)
    : Composition<TIn, (TFirst First, TSecond Second)>(Form.AroundBranches(first.Depth, second.Depth))
{
    internal override async ValueTask<Reply<(TFirst First, TSecond Second)>> RunAsync(TIn input, CompositionRun run)
    {
        var (one, two) = (StartAsync(first, input, run.Into(0)), StartAsync(second, input, run.Into(1)));
        await Task.WhenAll(one, two).ConfigureAwait(false);
        var (left, right) = (await one.ConfigureAwait(false), await two.ConfigureAwait(false));
        Reply[] replies = [left, right];
        return Outcomes.Failure(replies, "parallel") is { } failure
            ? Form.Failed(
                this, input, failure, Outcomes.HeadersOfWorst(replies), default,
                new Both<TIn, TFirst, TSecond>(
                    Form.Left<TIn, TIn, TFirst>(first, input, left), Form.Left<TIn, TIn, TSecond>(second, input, right)))
            : Reply<(TFirst, TSecond)>.Success(
                (left.Value!, right.Value!), Outcomes.HeadersOf(replies), Outcomes.HighestStatus(replies));
    }

    public override string ToString() => $"both({first}, {second})";

    // What a step throws before its first wait must not hold up the start of the other.
    private static async Task<Reply<T>> StartAsync<T>(Composition<TIn, T> step, TIn input, CompositionRun run) =>
        await step.RunAsync(input, run).ConfigureAwait(false);
}
