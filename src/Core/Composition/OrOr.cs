namespace ServiceMesh;

/// <summary><c>a || b</c>: the same input to each, in order; stops at the first success.</summary>
internal sealed class OrOr<TIn, TOut>(Composition<TIn, TOut> first, Composition<TIn, TOut> second) : Composition<TIn, TOut>
{
    internal override bool RunsLocalCode => first.RunsLocalCode || second.RunsLocalCode;

    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await first.RunAsync(input, run).ConfigureAwait(false);
        return reply.IsSuccess ? reply : Form.Whole(await second.RunAsync(input, run).ConfigureAwait(false));
    }

    public override string ToString() => $"({first} || {second})";
}
