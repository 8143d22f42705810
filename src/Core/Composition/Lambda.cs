namespace ServiceMesh;

/// <summary>A local function as a step: its value, or 500 with its exception.</summary>
internal sealed class Lambda<TIn, TOut>(Func<TIn, CancellationToken, ValueTask<TOut>> function, string name) : Composition<TIn, TOut>
{
    internal override ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run) =>
        LocalCode.CallAsync(function, input, Name, "It", run);

    public override string ToString() => name;
}
