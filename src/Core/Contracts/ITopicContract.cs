namespace ServiceMesh;

/// <summary>
/// What all typed topics have in common, so that a handler can be added by its type alone. Implemented by
/// <see cref="RequestTopic{TIn,TOut}"/> and <see cref="SignalPattern{T}"/> only.
/// </summary>
public interface ITopicContract
{
    /// <summary>What a handler of this contract subscribes to.</summary>
    TopicPattern Pattern { get; }

    /// <summary>Calls the method of the visitor that fits this contract, with its types.</summary>
    internal TResult Accept<TResult>(IContractVisitor<TResult> visitor);
}

/// <summary>Does something with the types of a contract, without reflection.</summary>
internal interface IContractVisitor<out TResult>
{
    TResult VisitRequest<TIn, TOut>(RequestTopic<TIn, TOut> topic);

    TResult VisitSignal<T>(SignalPattern<T> pattern);
}
