namespace ServiceMesh;

/// <summary>
/// What all typed topics have in common, so that a handler can be added by its type alone. Implemented by
/// <see cref="RequestTopic{TIn,TOut}"/> and <see cref="SignalPattern{T}"/> only.
/// </summary>
public interface ITopicContract
{
    /// <summary>What a handler of this contract subscribes to.</summary>
    TopicPattern Pattern { get; }

    /// <summary>Binds a handler type that is resolved from the container for each message.</summary>
    /// <exception cref="ArgumentException">The type does not implement the interface of this contract.</exception>
    internal HandlerDefinition DefineHandler(Type handlerType);
}
