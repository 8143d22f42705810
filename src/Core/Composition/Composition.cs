namespace ServiceMesh;

/// <summary>
/// Requests and local functions put together into one: takes a <typeparamref name="TIn"/>, ends with a
/// <typeparamref name="TOut"/>. Immutable, so one value may be kept in a static field and executed a thousand times at
/// once; nests freely. Made by <see cref="Compose"/>, by <c>|</c>, and by every <see cref="RequestTopic{TIn,TOut}"/>.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Compositions.cs" region="pipe" />
/// </example>
public abstract class Composition<TIn, TOut>
{
    private protected Composition() { }

    /// <summary>How many steps a pipe counts it as.</summary>
    internal virtual int StepCount => 1;

    /// <summary>What runs first, in words.</summary>
    internal virtual string FirstStep => ToString()!;

    /// <summary>
    /// True when the application's own code is in it, which may keep the thread. Not only at its beginning: a request
    /// before it may end without waiting, refused or answered by a middleware.
    /// </summary>
    internal virtual bool RunsLocalCode => false;

    /// <summary>
    /// Runs it once, within the scope of the run. Failures are replies; only misuse and the caller's own cancellation
    /// are thrown.
    /// </summary>
    internal abstract ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run);

    /// <summary>The form with its steps, as it was written.</summary>
    public abstract override string ToString();
}
