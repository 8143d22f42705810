namespace ServiceMesh.Testing;

/// <summary>
/// Lets what a bus sends fail as a network and other services would, on any transport. A failure holds until it is cleared or has
/// happened <c>times</c> times (1 or more; null for always). One set later for the same topic or pattern takes the place of the earlier
/// one; of several that match, the one set last happens. A contract of requests concerns requests only, one of signals signals only.
/// Thread-safe.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Testing.cs" region="failures" />
/// </example>
public sealed class MeshFailures
{
    private readonly Lock _lock = new();
    private readonly List<Planned> _planned = [];

    /// <summary>The topic has no handler: a request fails with 404 (<see cref="NoHandlerException"/>), a signal has 0 receivers.</summary>
    public void NotFound(ITopicContract topic, int? times = null) => Plan(topic, times, new MissingHandler());

    /// <summary>
    /// The deadline passes, at once, without a wait: 408 (<see cref="RequestTimedOutException"/>). The message is not delivered, which the
    /// caller does not know.
    /// </summary>
    public void TimesOut(ITopicContract topic, int? times = null) => Plan(topic, times, new PassedDeadline());

    /// <summary>
    /// The message is on its way for this long, by the clock of the container, and then is delivered. If the caller's deadline passes
    /// meanwhile, the message is not delivered, and the caller sees 408.
    /// </summary>
    /// <param name="topic">Which messages.</param>
    /// <param name="by">Not negative.</param>
    /// <param name="times">How often; null for always.</param>
    public void Slow(ITopicContract topic, TimeSpan by, int? times = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        Plan(topic, times, new LongWay(by));
    }

    /// <summary>
    /// The connection breaks before the message is delivered: 503 (<see cref="TransportUnavailableException"/>), and the caller does not
    /// know whether a handler ran.
    /// </summary>
    public void Breaks(ITopicContract topic, int? times = null) => Plan(topic, times, new BrokenConnection());

    /// <summary>
    /// The handler runs and its answer is lost: 503 (<see cref="TransportUnavailableException"/>), and the caller does not know whether a
    /// handler ran. For code that must not do a thing twice.
    /// </summary>
    public void LosesReplies<TIn, TOut>(RequestTopic<TIn, TOut> topic, int? times = null) => Plan(topic, times, new LostReply());

    /// <summary>
    /// All handlers are busy: a request fails with 429, not processed (<see cref="RequestRejectedException"/>); a signal has 0 receivers
    /// and names the refusal in <see cref="SignalResult.Failures"/>.
    /// </summary>
    public void Refuses(ITopicContract topic, int? times = null) => Plan(topic, times, new Refusal());

    /// <summary>The handler fails with a status of its own (<see cref="HandlerFailedException"/>).</summary>
    /// <param name="topic">Which requests.</param>
    /// <param name="status">300 to 999.</param>
    /// <param name="message">What the caller reads.</param>
    /// <param name="times">How often; null for always.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not that of a failure.</exception>
    public void Fails<TIn, TOut>(RequestTopic<TIn, TOut> topic, StatusCode status, string message, int? times = null) =>
        Plan(topic, times, new FailedHandler(StatusRange.CheckedFailure(status, nameof(status)), message));

    /// <summary>The topic or pattern works again.</summary>
    public void Clear(ITopicContract topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        var kind = ContractKind.Of(topic);
        lock (_lock)
        {
            _planned.RemoveAll(p => p.Kind == kind && p.Pattern.Equals(topic.Pattern));
        }
    }

    /// <summary>All topics work again.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _planned.Clear();
        }
    }

    /// <summary>What happens to a message; null when it is delivered.</summary>
    internal FailureOnDemand? Next(Message message)
    {
        lock (_lock)
        {
            var place = _planned.FindLastIndex(p => p.Kind == message.Kind && p.Pattern.Matches(message.Topic));
            if (place < 0)
            {
                return null;
            }

            var planned = _planned[place];
            if (--planned.Left == 0)
            {
                _planned.RemoveAt(place);
            }

            return planned.Failure;
        }
    }

    private void Plan(ITopicContract topic, int? times, FailureOnDemand failure)
    {
        ArgumentNullException.ThrowIfNull(topic);
        if (times is { } count)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(count, 1, nameof(times));
        }

        var kind = ContractKind.Of(topic);
        lock (_lock)
        {
            _planned.RemoveAll(p => p.Kind == kind && p.Pattern.Equals(topic.Pattern));
            _planned.Add(new(kind, topic.Pattern, failure) { Left = times ?? long.MaxValue });
        }
    }

    private sealed class Planned(MessageKind kind, TopicPattern pattern, FailureOnDemand failure)
    {
        public MessageKind Kind => kind;

        public TopicPattern Pattern => pattern;

        public FailureOnDemand Failure => failure;

        /// <summary>How often it happens yet.</summary>
        public long Left { get; set; }
    }
}
