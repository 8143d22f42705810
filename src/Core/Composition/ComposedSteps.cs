namespace ServiceMesh;

/// <summary>
/// What is put around one step: its options, what happens when it fails, what goes beside it, and repetition over a list.
/// </summary>
public static class ComposedSteps
{
    private static readonly TimeSpan s_longestPause = TimeSpan.FromDays(1);

    /// <summary>
    /// A step with options of its own. Its timeout counts from when the step begins and ends with the deadline of the whole at the
    /// latest; its headers come beside those of the whole, and win over one of the same name; the rest replaces what the call says.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is outside its range.</exception>
    public static Composition<TIn, TOut> With<TIn, TOut>(this Composition<TIn, TOut> step, RequestOptions options)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        return Form.Checked(new With<TIn, TOut>(step, options, "with"));
    }

    /// <summary>A step with a timeout of its own: 408 when it passes, and the whole goes on as after any failure.</summary>
    /// <param name="step">The step.</param>
    /// <param name="timeout">1 ms to 1 day. The deadline of the whole holds all the same.</param>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is outside its range.</exception>
    public static Composition<TIn, TOut> Within<TIn, TOut>(this Composition<TIn, TOut> step, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(step);
        var options = new RequestOptions { Timeout = timeout };
        options.Check();
        return Form.Checked(new With<TIn, TOut>(step, options, "within"));
    }

    /// <summary>
    /// Runs what is left of a step again when it failed. It repeats only what was not processed, or may run twice: idempotent topics, an
    /// idempotency key, or options of <see cref="With"/> that say so. What succeeded inside the step is not repeated.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="attempts">In all, the first included; at least 1.</param>
    /// <param name="pause">
    /// Before the second attempt; it doubles with each one. <see cref="ReplyFailure.RetryAfter"/> counts when it is longer. When the pause
    /// is longer than what is left until the deadline, no other attempt follows. Zero to 1 day; default: zero.
    /// </param>
    /// <param name="when">
    /// Which failures are worth another attempt; it is asked only where one is safe. Null for those that may be gone in a moment: 408,
    /// 429, 499, 502, 503 and 504. Called by many threads at once.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside its range.</exception>
    public static Composition<TIn, TOut> Retry<TIn, TOut>(
        this Composition<TIn, TOut> step, int attempts, TimeSpan pause = default, Func<ReplyFailure, bool>? when = null)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentOutOfRangeException.ThrowIfLessThan(attempts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pause, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pause, s_longestPause);
        return Form.Checked(new Retry<TIn, TOut>(step, new(attempts, pause, when)));
    }

    /// <summary>
    /// When the step fails, a function of the failure chooses what is run instead, with the input of the step: a fallback, or what undoes
    /// the steps before and then <see cref="Compose.Fail(ReplyFailure)"/>. Null lets the failure stand.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="alternative">Called by many threads at once. What it throws becomes status 500 with the exception.</param>
    public static Composition<TIn, TOut> Recover<TIn, TOut>(
        this Composition<TIn, TOut> step, Func<ReplyFailure, Composition<TIn, TOut>?> alternative)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(alternative);
        return Form.Checked(new Recover<TIn, TOut>(step, alternative));
    }

    /// <summary>
    /// The step for each item of an array, so many at a time. Ends with all values in the order of the array; when any fails, with the
    /// highest status and every reply in <see cref="ReplyFailure.Parts"/>. No items make no values.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="maxConcurrency">At least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxConcurrency"/> is below 1.</exception>
    public static Composition<TItem[], TOut[]> Each<TItem, TOut>(this Composition<TItem, TOut> step, int maxConcurrency)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        return Form.Checked(new Each<TItem, TOut>(step, maxConcurrency));
    }

    /// <summary>
    /// The same, and ends with every reply in the order of the array. It succeeds itself, whatever the step did; when the deadline passes
    /// before the last item has ended it is 408, with the replies in <see cref="ReplyFailure.Parts"/>.
    /// </summary>
    /// <inheritdoc cref="Each"/>
    public static Composition<TItem[], Reply<TOut>[]> EachSettled<TItem, TOut>(this Composition<TItem, TOut> step, int maxConcurrency)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        return Form.Checked(new EachSettled<TItem, TOut>(step, maxConcurrency));
    }

    /// <summary>The input of the step beside its output, for the steps that follow.</summary>
    public static Composition<TIn, (TIn Input, TOut Output)> Keep<TIn, TOut>(this Composition<TIn, TOut> step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return Form.Checked(new Keep<TIn, TOut>(step));
    }

    /// <summary>
    /// Gives the output of the step to a second composition too, waits for it, and ends with the reply of the step, its headers included.
    /// A failure of the second is reported and changes nothing.
    /// </summary>
    public static Composition<TIn, TOut> Tee<TIn, TOut, TSide>(this Composition<TIn, TOut> step, Composition<TOut, TSide> side)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(side);
        return Form.Checked(new Tee<TIn, TOut, TSide>(step, side));
    }

    /// <summary>Sends the output of the step as a signal too. A signal that cannot be sent is reported and changes nothing.</summary>
    public static Composition<TIn, TOut> Tee<TIn, TOut>(this Composition<TIn, TOut> step, SignalTopic<TOut> topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return step.Tee(new SignalStep<TOut>(topic));
    }

    /// <summary>Sends a signal that a function makes of the output of the step. What fails is reported and changes nothing.</summary>
    public static Composition<TIn, TOut> Tee<TIn, TOut, TSignal>(
        this Composition<TIn, TOut> step, SignalTopic<TSignal> topic, Func<TOut, TSignal> signal)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(signal);
        return step.Tee(Compose.Lambda(signal, $"signal for {topic}").Pipe(new SignalStep<TSignal>(topic)));
    }
}
