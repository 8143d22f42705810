using System.Runtime.CompilerServices;

namespace ServiceMesh.Testing;

/// <summary>
/// What a bus has sent, in the order in which it left, with assertions. Each step of a composition is a message of its own, and so is each
/// attempt of a step around sending that repeats. The topics of the bus itself (<c>mesh.*</c>) are left out. Thread-safe.
/// </summary>
/// <remarks>
/// The assertions throw <see cref="MeshAssertionException"/>, which every test framework shows as a failure.
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Testing.cs" region="sent" />
/// </example>
public sealed class SentMessages
{
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly List<SentMessage> _all = [];
    private TaskCompletionSource _more = NewSignal();

    /// <summary>All messages until now.</summary>
    public IReadOnlyList<SentMessage> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _all];
            }
        }
    }

    /// <summary>Forgets what was sent until now.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _all.Clear();
        }
    }

    /// <summary>The inputs of the requests that were sent to a topic.</summary>
    public IReadOnlyList<TIn> To<TIn, TOut>(RequestTopic<TIn, TOut> topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return ValuesOf<TIn>(MessageKind.Request, topic.Topic);
    }

    /// <summary>The values of the signals that were sent to a topic.</summary>
    public IReadOnlyList<T> To<T>(SignalTopic<T> topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return ValuesOf<T>(MessageKind.Signal, topic.Topic);
    }

    /// <summary>Asserts that exactly one such request was sent, and returns its input.</summary>
    /// <param name="topic">Where to.</param>
    /// <param name="match">Which inputs count; null for all.</param>
    /// <param name="expression">Written by the compiler: the text of <paramref name="match"/>.</param>
    /// <exception cref="MeshAssertionException">There was none, or more than one.</exception>
    public TIn AssertOne<TIn, TOut>(
        RequestTopic<TIn, TOut> topic,
        Func<TIn, bool>? match = null,
        [CallerArgumentExpression(nameof(match))] string? expression = null) =>
        Matching(To(topic), match, 1, MessageKind.Request, topic.Topic, expression)[0];

    /// <summary>Asserts that exactly one such signal was sent, and returns its value.</summary>
    /// <param name="topic">Where to.</param>
    /// <param name="match">Which values count; null for all.</param>
    /// <param name="expression">Written by the compiler: the text of <paramref name="match"/>.</param>
    /// <exception cref="MeshAssertionException">There was none, or more than one.</exception>
    public T AssertOne<T>(
        SignalTopic<T> topic,
        Func<T, bool>? match = null,
        [CallerArgumentExpression(nameof(match))] string? expression = null) =>
        Matching(To(topic), match, 1, MessageKind.Signal, topic.Topic, expression)[0];

    /// <summary>Asserts that this number of such requests was sent, and returns their inputs in order.</summary>
    /// <param name="expected">0 or more.</param>
    /// <param name="topic">Where to.</param>
    /// <param name="match">Which inputs count; null for all.</param>
    /// <param name="expression">Written by the compiler: the text of <paramref name="match"/>.</param>
    /// <exception cref="MeshAssertionException">There were fewer or more.</exception>
    public IReadOnlyList<TIn> AssertCount<TIn, TOut>(
        int expected,
        RequestTopic<TIn, TOut> topic,
        Func<TIn, bool>? match = null,
        [CallerArgumentExpression(nameof(match))] string? expression = null) =>
        Matching(To(topic), match, expected, MessageKind.Request, topic.Topic, expression);

    /// <summary>Asserts that this number of such signals was sent, and returns their values in order.</summary>
    /// <param name="expected">0 or more.</param>
    /// <param name="topic">Where to.</param>
    /// <param name="match">Which values count; null for all.</param>
    /// <param name="expression">Written by the compiler: the text of <paramref name="match"/>.</param>
    /// <exception cref="MeshAssertionException">There were fewer or more.</exception>
    public IReadOnlyList<T> AssertCount<T>(
        int expected,
        SignalTopic<T> topic,
        Func<T, bool>? match = null,
        [CallerArgumentExpression(nameof(match))] string? expression = null) =>
        Matching(To(topic), match, expected, MessageKind.Signal, topic.Topic, expression);

    /// <summary>Asserts that no message at all was sent.</summary>
    /// <exception cref="MeshAssertionException">There was one.</exception>
    public void AssertNothing()
    {
        if (All is { Count: > 0 } all)
        {
            throw MeshAssertionException.Of("Expected no message.", all);
        }
    }

    /// <summary>
    /// Waits for a request that was sent or will be, for code that sends in the background, and returns its input. The first one counts.
    /// </summary>
    /// <param name="topic">Where to.</param>
    /// <param name="match">Which inputs count; null for all.</param>
    /// <param name="within">How long to wait, by the system's clock. Default: 30 seconds.</param>
    /// <param name="expression">Written by the compiler: the text of <paramref name="match"/>.</param>
    /// <exception cref="MeshAssertionException">There was none in that time.</exception>
    public Task<TIn> WaitForAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic,
        Func<TIn, bool>? match = null,
        TimeSpan? within = null,
        [CallerArgumentExpression(nameof(match))] string? expression = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return FirstAsync(() => To(topic), match, within, MessageKind.Request, topic.Topic, expression);
    }

    /// <summary>
    /// Waits for a signal that was sent or will be, for code that sends in the background, and returns its value. The first one counts.
    /// </summary>
    /// <param name="topic">Where to.</param>
    /// <param name="match">Which values count; null for all.</param>
    /// <param name="within">How long to wait, by the system's clock. Default: 30 seconds.</param>
    /// <param name="expression">Written by the compiler: the text of <paramref name="match"/>.</param>
    /// <exception cref="MeshAssertionException">There was none in that time.</exception>
    public Task<T> WaitForAsync<T>(
        SignalTopic<T> topic,
        Func<T, bool>? match = null,
        TimeSpan? within = null,
        [CallerArgumentExpression(nameof(match))] string? expression = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return FirstAsync(() => To(topic), match, within, MessageKind.Signal, topic.Topic, expression);
    }

    internal void Add(SentMessage message)
    {
        TaskCompletionSource more;
        lock (_lock)
        {
            _all.Add(message);
            more = _more;
            _more = NewSignal();
        }

        more.SetResult();
    }

    private T[] ValuesOf<T>(MessageKind kind, Topic topic) =>
        [.. All.Where(message => message.Kind == kind && message.Topic == topic).Select(message => message.Read<T>()!)];

    private T[] Matching<T>(
        IReadOnlyList<T> sent, Func<T, bool>? match, int expected, MessageKind kind, Topic topic, string? expression)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(expected);
        T[] matching = [.. sent.Where(value => match is null || match(value))];
        return matching.Length == expected
            ? matching
            : throw MeshAssertionException.Of(
                $"Expected {Named(expected, kind, topic, expression)}; there {(matching.Length == 1 ? "was" : "were")} {matching.Length}.",
                All);
    }

    private async Task<T> FirstAsync<T>(
        Func<IReadOnlyList<T>> sent, Func<T, bool>? match, TimeSpan? within, MessageKind kind, Topic topic, string? expression)
    {
        var limit = Task.Delay(within ?? s_longest, CancellationToken.None);
        while (true)
        {
            Task more;
            lock (_lock)
            {
                more = _more.Task;
            }

            foreach (var value in sent())
            {
                if (match is null || match(value))
                {
                    return value;
                }
            }

            if (await Task.WhenAny(more, limit).ConfigureAwait(false) == limit)
            {
                throw MeshAssertionException.Of(
                    $"Expected {Named(1, kind, topic, expression)} within {within ?? s_longest}; there was none.", All);
            }
        }
    }

    private static string Named(int count, MessageKind kind, Topic topic, string? expression) =>
        $"{count} {(kind == MessageKind.Request ? "request" : "signal")}{(count == 1 ? "" : "s")} to '{topic}'" +
        (expression is null ? "" : $" with {expression}");

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
