using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace ServiceMesh;

/// <summary>
/// Puts steps together. Every form is immutable, typed, nests in every other, and runs under the one deadline, token
/// and trace of the call that executes it.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Compositions.cs" region="forms" />
/// </example>
public static class Compose
{
    /// <summary><c>first | second</c>: the output of one is the input of the next; stops at the first failure.</summary>
    /// <exception cref="ArgumentException">
    /// Forms are nested in each other more than 1,000 levels deep; each step that is added to a pipe is a level, and a form with branches
    /// counts as 4. Every form refuses that.
    /// </exception>
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(this Composition<TIn, TMiddle> first, Composition<TMiddle, TOut> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return Form.Checked(new Pipe<TIn, TMiddle, TOut>(first, second));
    }

    /// <summary><c>first | lambda</c>: a local function of the output.</summary>
    /// <param name="first">What comes before.</param>
    /// <param name="function">As for <see cref="Lambda{TIn,TOut}(Func{TIn,TOut},string)"/>.</param>
    /// <param name="name">What the function is called in failures and traces.</param>
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(
        this Composition<TIn, TMiddle> first, Func<TMiddle, TOut> function, string name = "lambda") =>
        first.Pipe(Lambda(function, name));

    /// <summary><c>first | lambda</c>: a local asynchronous function of the output.</summary>
    /// <param name="first">What comes before.</param>
    /// <param name="function">As for <see cref="Lambda{TIn,TOut}(Func{TIn,Task{TOut}},string)"/>.</param>
    /// <param name="name">What the function is called in failures and traces.</param>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(
        this Composition<TIn, TMiddle> first, Func<TMiddle, Task<TOut>> function, string name = "lambda") =>
        first.Pipe(Lambda(function, name));

    /// <summary><c>first | lambda</c>: a local asynchronous function of the output that takes the token of the execution.</summary>
    /// <param name="first">What comes before.</param>
    /// <param name="function">As for <see cref="Lambda{TIn,TOut}(Func{TIn,CancellationToken,Task{TOut}},string)"/>.</param>
    /// <param name="name">What the function is called in failures and traces.</param>
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(
        this Composition<TIn, TMiddle> first, Func<TMiddle, CancellationToken, Task<TOut>> function, string name = "lambda") =>
        first.Pipe(Lambda(function, name));

    /// <summary>
    /// <c>first &amp;&amp; second</c>: the same input to each, in order; stops at the first failure and ends with the last
    /// reply it reached.
    /// </summary>
    public static Composition<TIn, TOut> AndAnd<TIn, TFirst, TOut>(this Composition<TIn, TFirst> first, Composition<TIn, TOut> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return Form.Checked(new AndAnd<TIn, TFirst, TOut>(first, second));
    }

    /// <summary>A step, and then a failure in any case: what undoes a step, and the failure for which it was undone.</summary>
    /// <example>
    /// <code source="samples/Snippets/Orders.cs" region="compensation" />
    /// </example>
    public static FailedStep<TIn> AndAnd<TIn, TFirst>(this Composition<TIn, TFirst> first, FailedStep second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return new FailureAfter<TIn, TFirst>(first, second);
    }

    /// <summary>
    /// <c>first || second</c>: the same input to each, in order; stops at the first success, or ends with the last failure.
    /// </summary>
    public static Composition<TIn, TOut> OrOr<TIn, TOut>(this Composition<TIn, TOut> first, Composition<TIn, TOut> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return Form.Checked(new OrOr<TIn, TOut>(first, second));
    }

    /// <summary><c>a; b; c</c>: the same input to each, in order; failures do not stop it; ends with the last reply.</summary>
    public static Composition<TIn, TOut> Batch<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        Form.Checked(new Batch<TIn, TOut>(Form.Checked(steps)));

    /// <summary>
    /// A batch that ends with every reply, in the order written. It succeeds itself, whatever its steps did; when the deadline passes
    /// before the last has ended it is 408, with the replies in <see cref="ReplyFailure.Parts"/>.
    /// </summary>
    public static Composition<TIn, Reply<TOut>[]> Record<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        Form.Checked(new Record<TIn, TOut>(Form.Checked(steps)));

    /// <summary>
    /// The same input to all at once. Ends with all values in the order written; when any fails, with the highest status
    /// and every reply in <see cref="ReplyFailure.Parts"/>.
    /// </summary>
    public static Composition<TIn, TOut[]> Parallel<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        Parallel(int.MaxValue, steps);

    /// <summary>The same, with at most <paramref name="maxConcurrency"/> steps at a time.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxConcurrency"/> is below 1.</exception>
    public static Composition<TIn, TOut[]> Parallel<TIn, TOut>(int maxConcurrency, params IEnumerable<Composition<TIn, TOut>> steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        return Form.Checked(new Parallel<TIn, TOut>(Form.Checked(steps), maxConcurrency));
    }

    /// <summary>
    /// The same input to all at once. Ends with every reply in the order written, and succeeds itself, whatever its steps did; when the
    /// deadline passes before the last has ended it is 408, with the replies in <see cref="ReplyFailure.Parts"/>.
    /// </summary>
    public static Composition<TIn, Reply<TOut>[]> Settle<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        Settle(int.MaxValue, steps);

    /// <summary>The same, with at most <paramref name="maxConcurrency"/> steps at a time.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxConcurrency"/> is below 1.</exception>
    public static Composition<TIn, Reply<TOut>[]> Settle<TIn, TOut>(int maxConcurrency, params IEnumerable<Composition<TIn, TOut>> steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        return Form.Checked(new Settle<TIn, TOut>(Form.Checked(steps), maxConcurrency));
    }

    /// <summary>
    /// The same input to all at once. Ends with the first success and cancels the others, as a caller that cancels does; waits until
    /// they have stopped. When none succeeds, it fails as <see cref="Parallel{TIn,TOut}(IEnumerable{Composition{TIn,TOut}})"/> does.
    /// </summary>
    public static Composition<TIn, TOut> Race<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        Form.Checked(new Race<TIn, TOut>(Form.Checked(steps)));

    /// <summary>
    /// The same input to two steps with different results at once. Ends with both values; when one fails, with the highest status and
    /// both replies in <see cref="ReplyFailure.Parts"/>.
    /// </summary>
    public static Composition<TIn, (TFirst First, TSecond Second)> Both<TIn, TFirst, TSecond>(
        Composition<TIn, TFirst> first, Composition<TIn, TSecond> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return Form.Checked(new Both<TIn, TFirst, TSecond>(first, second));
    }

    /// <summary>
    /// A function of the input chooses the step that is given the input. What it throws becomes status 500 with the exception, and so
    /// does null.
    /// </summary>
    /// <param name="selector">Called for every execution, perhaps by many threads at once; it only looks at the input.</param>
    /// <param name="name">What it is called in failures and traces.</param>
    public static Composition<TIn, TOut> Choose<TIn, TOut>(Func<TIn, Composition<TIn, TOut>> selector, string name = "choose")
    {
        ArgumentNullException.ThrowIfNull(selector);
        ArgumentNullException.ThrowIfNull(name);
        return new Choose<TIn, TOut>(selector, name);
    }

    /// <summary>
    /// A local function that executes other compositions and sends signals, within the deadline, token, headers and trace of the whole:
    /// for what the other forms cannot say. It fails as <see cref="Lambda{TIn,TOut}(Func{TIn,TOut},string)"/> does, and with the status
    /// of what it executed when it does not catch that exception.
    /// </summary>
    /// <param name="function">Called for every execution, perhaps by many threads at once. It awaits all that it begins.</param>
    /// <param name="name">What it is called in failures and traces.</param>
    /// <example>
    /// <code source="samples/Snippets/Orders.cs" region="step" />
    /// </example>
    public static Composition<TIn, TOut> Step<TIn, TOut>(Func<TIn, StepContext, Task<TOut>> function, string name = "step")
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(name);
        return new Step<TIn, TOut>(function, name);
    }

    /// <summary>
    /// A step that fails with a failure that happened before; it is not reported again. It converts to every composition.
    /// </summary>
    public static FailedStep Fail(ReplyFailure failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return new Failure(failure, isNew: false);
    }

    /// <summary>
    /// A step that fails with a status and a sentence. It counts as a local step that ran, and converts to every composition.
    /// </summary>
    /// <param name="status">300 to 599.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="name">What the step is called in failures and traces.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not a failure.</exception>
    public static FailedStep Fail(StatusCode status, string message, string name = "fail")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan((int)status, 300, nameof(status));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((int)status, 599, nameof(status));
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(name);
        return new Failure(new(status, name, message) { IsOfHandler = true }, isNew: true);
    }

    /// <summary>
    /// A local function as a step. What it throws becomes status 500 with the exception; a <see cref="ReplyException"/> keeps its
    /// status. It is called on the thread pool: when time is up, it runs on and its result is not used.
    /// </summary>
    /// <param name="function">Called for every execution, perhaps by many threads at once.</param>
    /// <param name="name">What it is called in failures and traces.</param>
    public static Composition<TIn, TOut> Lambda<TIn, TOut>(Func<TIn, TOut> function, string name = "lambda")
    {
        ArgumentNullException.ThrowIfNull(function);
        return new Lambda<TIn, TOut>((input, _) => new(function(input)), name);
    }

    /// <summary>
    /// A local asynchronous function as a step, which takes no token: when time is up, it runs on and its result is not used.
    /// </summary>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static Composition<TIn, TOut> Lambda<TIn, TOut>(Func<TIn, Task<TOut>> function, string name = "lambda")
    {
        ArgumentNullException.ThrowIfNull(function);
        return new Lambda<TIn, TOut>((input, _) => new(function(input)), name);
    }

    /// <summary>A local asynchronous function as a step. Its token fires with the deadline or the caller's cancellation.</summary>
    public static Composition<TIn, TOut> Lambda<TIn, TOut>(Func<TIn, CancellationToken, Task<TOut>> function, string name = "lambda")
    {
        ArgumentNullException.ThrowIfNull(function);
        return new Lambda<TIn, TOut>((input, token) => new(function(input, token)), name);
    }

    /// <summary>
    /// Merges fixed values into the input of a step: <c>Weather.Query.Merge(q =&gt; q with { Unit = "C" })</c>. The function
    /// returns a changed copy and leaves its argument alone, because other steps have the same input.
    /// </summary>
    public static Composition<TIn, TOut> Merge<TIn, TOut>(this Composition<TIn, TOut> step, Func<TIn, TIn> merge)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(merge);
        return Form.Checked(new Merge<TIn, TOut>(merge, step));
    }

    /// <summary>
    /// Merges fixed entries into the dictionary that a step takes; a fixed entry wins over one that came in. Null counts as empty.
    /// </summary>
    public static Composition<Dictionary<string, TValue>, TOut> Merge<TValue, TOut>(
        this Composition<Dictionary<string, TValue>, TOut> step, IReadOnlyDictionary<string, TValue> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var fixedValues = values.ToArray();
        return step.Merge(input =>
        {
            var merged = input is null ? [] : new Dictionary<string, TValue>(input, input.Comparer);
            foreach (var (key, value) in fixedValues)
            {
                merged[key] = value;
            }

            return merged;
        });
    }

    /// <summary>
    /// Merges fixed members into the JSON object that a step takes; a fixed member wins over one that came in. Null counts as empty.
    /// </summary>
    public static Composition<JsonObject, TOut> Merge<TOut>(this Composition<JsonObject, TOut> step, JsonObject values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var fixedValues = values.DeepClone().AsObject().ToArray();
        return step.Merge(input =>
        {
            var merged = input is null ? [] : (JsonObject)input.DeepClone();
            foreach (var (key, value) in fixedValues)
            {
                merged[key] = value?.DeepClone();
            }

            return merged;
        });
    }
}

/// <summary>The <c>|</c> of a shell, with types: it compiles only when the output of one is the input of the next.</summary>
public static class CompositionOperators
{
    extension<TIn, TMiddle, TOut>(Composition<TIn, TMiddle>)
    {
        /// <summary>The output of one is the input of the next; stops at the first failure.</summary>
        public static Composition<TIn, TOut> operator |(Composition<TIn, TMiddle> first, Composition<TMiddle, TOut> second) =>
            first.Pipe(second);
    }
}
