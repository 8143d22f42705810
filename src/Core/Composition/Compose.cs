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
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(this Composition<TIn, TMiddle> first, Composition<TMiddle, TOut> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return new Pipe<TIn, TMiddle, TOut>(first, second);
    }

    /// <summary><c>first | lambda</c>: a local function of the output.</summary>
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(this Composition<TIn, TMiddle> first, Func<TMiddle, TOut> function) =>
        first.Pipe(Lambda(function));

    /// <summary><c>first | lambda</c>: a local asynchronous function of the output.</summary>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static Composition<TIn, TOut> Pipe<TIn, TMiddle, TOut>(
        this Composition<TIn, TMiddle> first, Func<TMiddle, Task<TOut>> function) =>
        first.Pipe(Lambda(function));

    /// <summary>
    /// <c>first &amp;&amp; second</c>: the same input to each, in order; stops at the first failure and ends with the last
    /// reply it reached.
    /// </summary>
    public static Composition<TIn, TOut> AndAnd<TIn, TFirst, TOut>(this Composition<TIn, TFirst> first, Composition<TIn, TOut> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return new AndAnd<TIn, TFirst, TOut>(first, second);
    }

    /// <summary>
    /// <c>first || second</c>: the same input to each, in order; stops at the first success, or ends with the last failure.
    /// </summary>
    public static Composition<TIn, TOut> OrOr<TIn, TOut>(this Composition<TIn, TOut> first, Composition<TIn, TOut> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        return new OrOr<TIn, TOut>(first, second);
    }

    /// <summary><c>a; b; c</c>: the same input to each, in order; failures do not stop it; ends with the last reply.</summary>
    public static Composition<TIn, TOut> Batch<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        new Batch<TIn, TOut>(Form.Checked(steps));

    /// <summary>A batch that ends with every reply, in the order written; it succeeds itself, whatever its steps did.</summary>
    public static Composition<TIn, Reply<TOut>[]> Record<TIn, TOut>(params IEnumerable<Composition<TIn, TOut>> steps) =>
        new RecordedBatch<TIn, TOut>(Form.Checked(steps));

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
        return new Parallel<TIn, TOut>(Form.Checked(steps), maxConcurrency);
    }

    /// <summary>A local function as a step. What it throws becomes status 500 with the exception.</summary>
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
        return new Merge<TIn, TOut>(merge, step);
    }

    /// <summary>Merges fixed entries into the dictionary that a step takes; a fixed entry wins over one that came in.</summary>
    public static Composition<Dictionary<string, TValue>, TOut> Merge<TValue, TOut>(
        this Composition<Dictionary<string, TValue>, TOut> step, IReadOnlyDictionary<string, TValue> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var fixedValues = values.ToArray();
        return step.Merge(input =>
        {
            var merged = new Dictionary<string, TValue>(input, input.Comparer);
            foreach (var (key, value) in fixedValues)
            {
                merged[key] = value;
            }

            return merged;
        });
    }

    /// <summary>Merges fixed members into the JSON object that a step takes; a fixed member wins over one that came in.</summary>
    public static Composition<JsonObject, TOut> Merge<TOut>(this Composition<JsonObject, TOut> step, JsonObject values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var fixedValues = values.DeepClone().AsObject().ToArray();
        return step.Merge(input =>
        {
            var merged = (JsonObject)input.DeepClone();
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
