namespace ServiceMesh;

/// <summary>
/// Requests and local functions put together into one: takes a <typeparamref name="TIn"/>, ends with a
/// <typeparamref name="TOut"/>. Immutable, so one value may be kept in a static field and executed a thousand times at
/// once; nests freely. Made by <see cref="Compose"/>, by <c>|</c>, and by every <see cref="RequestTopic{TIn,TOut}"/>.
/// </summary>
/// <remarks>
/// All steps that have the same input are given the same object. A local function that changes its input changes what the
/// others see, so it changes a copy.
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Compositions.cs" region="pipe" />
/// </example>
public abstract class Composition<TIn, TOut>
{
    // Long enough for a span or a report, and the same length for a pipe of two steps as for one of a thousand.
    private const int MaxName = 200;

    private string? _name;

    private protected Composition(int depth = 1) => Depth = depth;

    /// <summary>How many levels of forms it has; each level takes some of the stack when it runs.</summary>
    internal int Depth { get; }

    /// <summary>How many steps a pipe counts it as.</summary>
    internal virtual int StepCount => 1;

    /// <summary>What runs first, in words.</summary>
    internal virtual string FirstStep => Name;

    /// <summary>What it is called in failures and traces: what <see cref="ToString"/> says, bounded.</summary>
    internal string Name => _name ??= ExceptionText.Cut(ToString(), MaxName);

    /// <summary>
    /// Runs it once, within the scope of the run. Failures are replies; only misuse and the caller's own cancellation
    /// are thrown.
    /// </summary>
    internal abstract ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run);

    /// <summary>The form with its steps, as it was written.</summary>
    public abstract override string ToString();

    /// <summary>A failure fits in every place of a composition: see <see cref="Compose.Fail(ReplyFailure)"/>.</summary>
    public static implicit operator Composition<TIn, TOut>(FailedStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return step.As<TIn, TOut>();
    }

    /// <summary>A failure after other steps fits wherever their input does.</summary>
    public static implicit operator Composition<TIn, TOut>(FailedStep<TIn> step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return step.As<TOut>();
    }
}
