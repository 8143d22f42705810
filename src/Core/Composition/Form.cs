namespace ServiceMesh;

/// <summary>What the forms other than a pipe have in common.</summary>
internal static class Form
{
    /// <summary>
    /// The most levels that forms may be nested. A level takes at most 1 KiB of the stack, and the smallest stacks of .NET have 1.5 MiB.
    /// </summary>
    public const int MaxDepth = 1000;

    // What starts branches needs some more of the stack.
    private const int LevelsOfBranches = 4;

    /// <summary>The depth of a form around others.</summary>
    public static int Around(int deepest, int other = 0) => Math.Max(deepest, other) + 1;

    public static int Around<TIn, TOut>(Composition<TIn, TOut>[] steps) => steps.Max(step => step.Depth) + 1;

    /// <summary>The depth of a form whose steps are branches that run at once.</summary>
    public static int AroundBranches(int deepest, int other = 0) => Math.Max(deepest, other) + LevelsOfBranches;

    public static int AroundBranches<TIn, TOut>(Composition<TIn, TOut>[] steps) => steps.Max(step => step.Depth) + LevelsOfBranches;

    /// <summary>Refuses what would need more of the stack than there is.</summary>
    /// <exception cref="ArgumentException">It is nested too deeply.</exception>
    public static Composition<TIn, TOut> Checked<TIn, TOut>(Composition<TIn, TOut> form) => form.Depth <= MaxDepth
        ? form
        : throw new ArgumentException(
            $"The composition is nested {form.Depth} levels deep, and {MaxDepth} are allowed; each step that is added to a pipe is a "
            + $"level, and a form with branches counts as {LevelsOfBranches}. Repeat a step over a list with Each, or in the code of a "
            + "Compose.Step, or join pipes of some hundred steps.");

    /// <summary>The steps of a form, copied.</summary>
    /// <exception cref="ArgumentException">There are none, or one is null.</exception>
    public static Composition<TIn, TOut>[] Checked<TIn, TOut>(IEnumerable<Composition<TIn, TOut>> steps)
    {
        ArgumentNullException.ThrowIfNull(steps);
        Composition<TIn, TOut>[] copy = [.. steps];
        if (copy.Length == 0 || copy.Contains(null))
        {
            throw new ArgumentException("A composition needs at least one step, and none may be null.", nameof(steps));
        }

        return copy;
    }

    /// <summary>
    /// The reply of a form that failed. It is resumed as a whole, with its own input, or with what is left of its steps.
    /// </summary>
    /// <param name="form">The form.</param>
    /// <param name="input">What it was given.</param>
    /// <param name="failure">What went wrong in it.</param>
    /// <param name="headers">Those of the reply that failed.</param>
    /// <param name="value">What stands beside the failing status.</param>
    /// <param name="left">What is left of it; null when all of it is.</param>
    public static Reply<TOut> Failed<TIn, TOut>(
        Composition<TIn, TOut> form, TIn input, ReplyFailure failure, Headers? headers, TOut? value, Composition<TIn, TOut>? left) =>
        Reply<TOut>.Failed(failure, headers, value).ResumedBy(
            new Remainder<TIn, TOut>(form, input)
            {
                // When nothing ran, all of it is left.
                Left = failure.NotProcessed ? null : left,
                LeftIsRepeatable = failure.MayRunAgain,
                WholeIsRepeatable = failure.NotProcessed || (left is null && failure.MayRunAgain),
            });

    /// <summary>What is left of one step of a form: the rest of it when it failed, and its reply when it succeeded.</summary>
    public static Composition<TForm, TOut> Left<TForm, TIn, TOut>(Composition<TIn, TOut> step, TIn input, Reply<TOut> reply) =>
        reply.IsSuccess ? new Kept<TForm, TOut>(reply) : new Resumed<TForm, TOut>(Left(step, input, reply.Remainder));

    /// <summary>What is left of a step that failed; a single request is left as a whole.</summary>
    public static Remainder<TOut> Left<TIn, TOut>(Composition<TIn, TOut> step, TIn input, Remainder<TOut>? remainder) =>
        remainder?.FailedPart ?? new Remainder<TIn, TOut>(step, input);
}
