using System.Collections.Concurrent;

namespace ServiceMesh.Testing;

/// <summary>
/// A bus for unit tests of classes that take an <see cref="IServiceBus"/>: made by <c>new</c>, records what is sent, and answers what the
/// test says. It is a bus in memory, so that compositions, deadlines, encoding and failures are those of a real one; a request that has no
/// answer fails with 404. It starts with the first message. Thread-safe.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Testing.cs" region="recording" />
/// </example>
public sealed class RecordingBus : IServiceBus, IAsyncDisposable
{
    private readonly ConcurrentDictionary<Topic, object> _answers = new();
    private readonly ConcurrentQueue<Func<Task>> _notYetSubscribed = new();
    private readonly SemaphoreSlim _starting = new(1, 1);
    private readonly MeshTestHost _host;
    private bool _isStarted;

    /// <summary>Makes a bus.</summary>
    /// <param name="clock">The clock of deadlines, usually a <c>FakeTimeProvider</c>; null for the system's.</param>
    public RecordingBus(TimeProvider? clock = null) => _host = MeshTestHost.Build(null, new() { Clock = clock });

    /// <summary>What was sent.</summary>
    public SentMessages Sent => _host.Sent;

    /// <summary>Makes what is sent fail.</summary>
    public MeshFailures Failures => _host.Failures;

    /// <summary>Answers the requests of a topic, from now on.</summary>
    /// <param name="topic">What to answer.</param>
    /// <param name="answer">What throws becomes a failure as it does in a handler.</param>
    /// <exception cref="InvalidOperationException">The same topic has an answer of another type.</exception>
    public RecordingBus Answer<TIn, TOut>(RequestTopic<TIn, TOut> topic, Func<TIn, TOut> answer)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(answer);
        var added = new Answering<TIn, TOut>(answer);
        var kept = _answers.GetOrAdd(topic.Topic, added);
        if (kept is not Answering<TIn, TOut> same)
        {
            throw new InvalidOperationException($"'{topic}' has an answer of other types. Use one contract for it.");
        }

        same.Answer = answer;
        if (ReferenceEquals(same, added))
        {
            _notYetSubscribed.Enqueue(() => _host.Bus.SubscribeAsync(topic, (input, _) => Task.FromResult(same.Answer(input))));
        }

        return this;
    }

    /// <summary>Answers the requests of a topic with one value, from now on.</summary>
    /// <exception cref="InvalidOperationException">The same topic has an answer of another type.</exception>
    public RecordingBus Answer<TIn, TOut>(RequestTopic<TIn, TOut> topic, TOut answer) => Answer(topic, (TIn _) => answer);

    /// <inheritdoc/>
    public NodeInfo DescribeNode() => _host.Bus.DescribeNode();

    /// <inheritdoc/>
    public async Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.ListNodesAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<TOut> RequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.RequestAsync(topic, input, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.TryRequestAsync(topic, input, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<SignalResult> SignalAsync<T>(
        SignalTopic<T> topic, T value, RequestOptions? options, CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.SignalAsync(topic, value, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<TOut> ExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.ExecuteAsync(composition, input, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<Reply<TOut>> TryExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.TryExecuteAsync(composition, input, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<Reply<TOut>> TryResumeAsync<TOut>(
        Resumption<TOut> resumption, RequestOptions? options, CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.TryResumeAsync(resumption, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<ISubscription> SubscribeAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, Func<TIn, HandlerContext, Task<TOut>> handler, HandlerOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.SubscribeAsync(topic, handler, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<ISubscription> SubscribeAsync<T>(
        SignalPattern<T> pattern, Func<T, HandlerContext, Task> handler, HandlerOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var bus = await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return await bus.SubscribeAsync(pattern, handler, options, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync().ConfigureAwait(false);
        _starting.Dispose();
    }

    private async Task<IServiceBus> ReadyAsync(CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!_isStarted)
            {
                await _host.StartAsync(CancellationToken.None).ConfigureAwait(false);
                _isStarted = true;
            }

            while (_notYetSubscribed.TryDequeue(out var subscribe))
            {
                await subscribe().ConfigureAwait(false);
            }

            return _host.Bus;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>The answer to one topic, which a test may change.</summary>
    private sealed class Answering<TIn, TOut>(Func<TIn, TOut> answer)
    {
        private volatile Func<TIn, TOut> _answer = answer;

        public Func<TIn, TOut> Answer { get => _answer; set => _answer = value; }
    }
}
