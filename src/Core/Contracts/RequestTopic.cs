namespace ServiceMesh;

/// <summary>
/// A typed topic that is called with a <typeparamref name="TIn"/> and answers a <typeparamref name="TOut"/>: the
/// contract between caller and handler, written once in a class that both reference. It is a value, it carries every
/// type, and it is itself a step of a composition. Immutable and thread-safe.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Contracts.cs" region="contracts" />
/// </example>
public sealed class RequestTopic<TIn, TOut> : Composition<TIn, TOut>, ITopicContract
{
    /// <summary>Names the topic.</summary>
    /// <param name="topic">Segments of letters, digits, <c>-</c> and <c>_</c>, joined by dots.</param>
    /// <exception cref="FormatException">Outside the grammar, or a pattern: a request goes to one exact topic.</exception>
    public RequestTopic(string topic)
    {
        Topic = Topic.Parse(topic);
        Pattern = TopicPattern.From(Topic);
    }

    /// <summary>The topic.</summary>
    public Topic Topic { get; }

    /// <summary>
    /// Whether a request may run twice without harm: it only reads, or sets what it sets anyway. Then a transport that tries
    /// several servers sends it again after an attempt that may or may not have run. Default: false.
    /// </summary>
    public bool IsIdempotent { get; init; }

    /// <inheritdoc/>
    public TopicPattern Pattern { get; }

    /// <inheritdoc/>
    public override string ToString() => Topic.ToString();

    internal override ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run) =>
        run.RequestAsync<TIn, TOut>(Topic, IsIdempotent, input);

    TResult ITopicContract.Accept<TResult>(IContractVisitor<TResult> visitor) => visitor.VisitRequest(this);
}
