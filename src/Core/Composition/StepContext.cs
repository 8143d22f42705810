namespace ServiceMesh;

/// <summary>
/// What the function of a <see cref="Compose.Step"/> may do: execute other compositions and send signals within the execution that it
/// is a step of, under its deadline, token, headers and trace. Thread-safe. It ends with its step.
/// </summary>
public sealed class StepContext
{
    private readonly CompositionRun _run;
    private readonly string _step;
    private int _executions = -1;
    private volatile bool _hasEnded;

    internal StepContext(CompositionRun run, string step)
    {
        _run = run;
        _step = step;
        CancellationToken = run.Token;
        Headers = run.Headers;
    }

    /// <summary>Fires when the deadline passes, the caller cancels, or the result is not needed.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>What is left until the deadline of the execution; never negative.</summary>
    public TimeSpan Remaining => _run.Remaining;

    /// <summary>What the caller sends beside each step. It goes with whatever is executed here.</summary>
    public Headers Headers { get; }

    /// <summary>Executes a composition or a single request as part of this step, and returns its value.</summary>
    /// <param name="composition">What to execute.</param>
    /// <param name="input">What to give it.</param>
    /// <param name="options">As for <see cref="ComposedSteps.With"/>; null for those of the whole.</param>
    /// <exception cref="ServiceMeshException">
    /// It failed. A step that does not catch it fails with the same status, message and cause.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token had fired, or the caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">The step has ended.</exception>
    public async Task<TOut> ExecuteAsync<TIn, TOut>(Composition<TIn, TOut> composition, TIn input, RequestOptions? options = null) =>
        (await TryExecuteAsync(composition, input, options).ConfigureAwait(false)).GetValueOrThrow();

    /// <summary>Executes a composition or a single request as part of this step. A failure is a reply.</summary>
    /// <inheritdoc cref="ExecuteAsync"/>
    public Task<Reply<TOut>> TryExecuteAsync<TIn, TOut>(Composition<TIn, TOut> composition, TIn input, RequestOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(composition);
        return RunAsync(new Remainder<TIn, TOut>(composition, input), options);
    }

    /// <summary>Executes what a failed composition left undone, as part of this step.</summary>
    /// <param name="resumption">What is left.</param>
    /// <param name="options">As for <see cref="ComposedSteps.With"/>; null for those of the whole.</param>
    /// <exception cref="OperationCanceledException">The token had fired, or the caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">The step has ended.</exception>
    public Task<Reply<TOut>> TryResumeAsync<TOut>(Resumption<TOut> resumption, RequestOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(resumption);
        return RunAsync((Remainder<TOut>)resumption, options);
    }

    /// <summary>Tells every subscriber of the topic, and does not wait for what they do with it.</summary>
    /// <param name="topic">What happened.</param>
    /// <param name="value">What to send.</param>
    /// <param name="options">As for <see cref="ComposedSteps.With"/>; null for those of the whole.</param>
    /// <returns>How many received it. That none did is an answer, not an error.</returns>
    /// <exception cref="ServiceMeshException">It could not be sent.</exception>
    /// <exception cref="OperationCanceledException">The token had fired, or the caller cancelled.</exception>
    /// <exception cref="InvalidOperationException">The step has ended.</exception>
    public async Task<SignalResult> SignalAsync<T>(SignalTopic<T> topic, T value, RequestOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        using var part = Begin(options);
        return await part.SignalAsync(topic, value).ConfigureAwait(false);
    }

    internal void End() => _hasEnded = true;

    private async Task<Reply<TOut>> RunAsync<TOut>(Remainder<TOut> remainder, RequestOptions? options)
    {
        using var part = Begin(options);
        return await remainder.RunAsync(part.Into(Interlocked.Increment(ref _executions))).ConfigureAwait(false);
    }

    private CompositionRun Begin(RequestOptions? options)
    {
        options?.Check();
        CancellationToken.ThrowIfCancellationRequested();
        return _hasEnded
            ? throw new InvalidOperationException(
                $"The step '{_step}' has ended, so nothing more can be executed in it. Await what the function begins before it returns.")
            : _run.Nest(options);
    }
}
