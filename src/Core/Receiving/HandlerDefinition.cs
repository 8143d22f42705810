namespace ServiceMesh;

/// <summary>
/// A handler as it was registered: what it listens to, how it is called, with which options. A value that many nodes
/// may use; each makes its own <see cref="Subscription"/> from it.
/// </summary>
internal sealed class HandlerDefinition
{
    /// <summary>The group of request handlers that name none.</summary>
    public const string DefaultGroup = "_default";

    private readonly string _handlerName;
    private readonly Action<IMessageSerializer> _ensureSupported;
    private readonly bool _isOwnTopic;
    private readonly Func<HandlerContext, SerializerSet, ValueTask<ReplyMessage>> _handle;

    private HandlerDefinition(
        MessageKind kind,
        TopicPattern pattern,
        string handlerName,
        bool isOwnTopic,
        Action<IMessageSerializer> ensureSupported,
        Func<HandlerContext, SerializerSet, ValueTask<ReplyMessage>> handle)
    {
        Kind = kind;
        Pattern = pattern;
        _handlerName = handlerName;
        _isOwnTopic = isOwnTopic;
        _ensureSupported = ensureSupported;
        _handle = handle;
    }

    public MessageKind Kind { get; }

    public TopicPattern Pattern { get; }

    public HandlerOptions Options { get; private init; } = new();

    public string? Group => Options.Group ?? (Kind == MessageKind.Request ? DefaultGroup : null);

    public static HandlerDefinition ForRequest<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, string handlerName, Func<TIn, HandlerContext, ValueTask<TOut>> handle)
    {
        return new(MessageKind.Request, topic.Pattern, handlerName, topic.IsOwn, EnsureSupported, async (context, serializers) =>
        {
            if (Decode<TIn>(context, serializers, topic.IsOwn, EnsureSupported, out var input, out var reader) is { } refusal)
            {
                return refusal;
            }

            var answer = await handle(input!, context).ConfigureAwait(false);
            var writer = topic.IsOwn ? serializers.Writer(isOwnTopic: true) : reader;
            return new ReplyMessage
            {
                Status = context.Status,
                Headers = context.ReplyHeaders,
                ContentType = writer.ContentType,
                Body = SerializerSet.Encode(writer, answer),
                Error = context.Status.IsFailure ? $"The handler answered with status {(int)context.Status}." : null,
            };
        });

        static void EnsureSupported(IMessageSerializer serializer)
        {
            serializer.EnsureSupported<TIn>();
            serializer.EnsureSupported<TOut>();
        }
    }

    public static HandlerDefinition ForSignal<T>(
        SignalPattern<T> pattern, string handlerName, Func<T, HandlerContext, ValueTask> handle)
    {
        return new(MessageKind.Signal, pattern.Pattern, handlerName, pattern.IsOwn, EnsureSupported, async (context, serializers) =>
        {
            if (Decode<T>(context, serializers, pattern.IsOwn, EnsureSupported, out var signal, out _) is { } refusal)
            {
                return refusal;
            }

            await handle(signal!, context).ConfigureAwait(false);
            return context.Status.IsFailure
                ? ReplyMessage.Failure(context.Status, $"The handler answered with status {(int)context.Status}.")
                : s_handled;
        });

        static void EnsureSupported(IMessageSerializer serializer) => serializer.EnsureSupported<T>();
    }

    public static ArgumentException WrongType(ITopicContract contract, Type handlerType, Type expected) => new(
        $"{handlerType.Name} cannot handle '{contract.Pattern}': it does not implement {Describe(expected)}.");

    public HandlerDefinition With(HandlerOptions options) =>
        new(Kind, Pattern, _handlerName, _isOwnTopic, _ensureSupported, _handle) { Options = options };

    /// <summary>Refuses types that the bus could not write and read, before the first message.</summary>
    /// <exception cref="NotSupportedException">The serializer that writes refuses a type; the message says what to do.</exception>
    public void EnsureSupported(SerializerSet serializers)
    {
        try
        {
            _ensureSupported(serializers.Writer(_isOwnTopic));
        }
        catch (NotSupportedException refusal)
        {
            throw new NotSupportedException($"The {this} cannot be served. {refusal.Message}", refusal);
        }
    }

    public Func<HandlerContext, ValueTask<ReplyMessage>> Handle(SerializerSet serializers) => context => _handle(context, serializers);

    public override string ToString() =>
        $"{(Kind == MessageKind.Request ? "request" : "signal")} handler {_handlerName} on '{Pattern}'" +
        (Group is null ? "" : $" in group '{Group}'");

    private static readonly ReplyMessage s_handled = new() { Status = StatusCode.Ok };

    private static ReplyMessage? Decode<T>(
        HandlerContext context,
        SerializerSet serializers,
        bool isOwnTopic,
        Action<IMessageSerializer> ensureSupported,
        out T? value,
        out IMessageSerializer serializer)
    {
        value = default;
        var message = context.Message;
        var found = serializers.Reader(message.ContentType, isOwnTopic);
        serializer = found ?? serializers.Configured;
        if (found is null)
        {
            return ReplyMessage.Failure(
                StatusCode.BadRequest,
                $"No serializer here reads '{message.ContentType}'; there are: {string.Join(", ", serializers.ContentTypes)}.",
                notProcessed: true);
        }

        try
        {
            if (found != serializers.Configured)
            {
                ensureSupported(found); // what writes here was asked at start
            }

            value = found.Deserialize<T>(message.Body);
            context.HandlerRan = true;
            return null;
        }
        catch (MalformedBodyException failure)
        {
            context.Exception = failure;
            return ReplyMessage.Failure(StatusCode.BadRequest, failure.Message, notProcessed: true);
        }
        catch (NotSupportedException refusal)
        {
            // The caller did nothing wrong: another format would have been served.
            context.Exception = refusal;
            return ReplyMessage.Failure(
                StatusCode.HandlerFailed,
                $"The handler of '{context.Topic}' cannot be called with '{found.ContentType}'. {refusal.Message}",
                notProcessed: true);
        }
    }

    private static string Describe(Type type) =>
        $"{type.Name.AsSpan(0, type.Name.IndexOf('`', StringComparison.Ordinal))}<{string.Join(", ", type.GenericTypeArguments.Select(t => t.Name))}>";
}
