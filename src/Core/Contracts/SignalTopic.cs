namespace ServiceMesh;

/// <summary>
/// A typed pattern to subscribe to: every signal on a matching topic carries a <typeparamref name="T"/>.
/// Immutable and thread-safe.
/// </summary>
public class SignalPattern<T> : ITopicContract
{
    /// <summary>Names the pattern.</summary>
    /// <param name="pattern">A topic in which whole segments may be <c>*</c>; see <see cref="TopicPattern"/>.</param>
    /// <exception cref="FormatException">Outside the grammar.</exception>
    public SignalPattern(string pattern) => Pattern = TopicPattern.Parse(pattern);

    /// <inheritdoc/>
    public TopicPattern Pattern { get; }

    /// <inheritdoc/>
    public override string ToString() => Pattern.ToString();

    TResult ITopicContract.Accept<TResult>(IContractVisitor<TResult> visitor) => visitor.VisitSignal(this);
}

/// <summary>
/// A typed topic that signals are sent to. It is also the pattern that matches just itself, so the same value serves
/// senders and subscribers. Immutable and thread-safe.
/// </summary>
public sealed class SignalTopic<T> : SignalPattern<T>
{
    /// <summary>Names the topic.</summary>
    /// <param name="topic">Segments of letters, digits, <c>-</c> and <c>_</c>, joined by dots.</param>
    /// <exception cref="FormatException">Outside the grammar, or a pattern: a signal is sent to one exact topic.</exception>
    public SignalTopic(string topic) : base(topic) => Topic = Topic.Parse(topic);

    /// <summary>The topic.</summary>
    public Topic Topic { get; }
}
