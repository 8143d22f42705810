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
    private readonly Func<HandlerContext, SerializerSet, ValueTask<ReplyMessage>> _handle;

    private HandlerDefinition(
        MessageKind kind, TopicPattern pattern, string handlerName, Func<HandlerContext, SerializerSet, ValueTask<ReplyMessage>> handle)
    {
        Kind = kind;
        Pattern = pattern;
        _handlerName = handlerName;
        _handle = handle;
    }

    public MessageKind Kind { get; }

    public TopicPattern Pattern { get; }

    public HandlerOptions Options { get; private init; } = new();

    public string? Group => Options.Group ?? (Kind == MessageKind.Request ? DefaultGroup : null);

    public static HandlerDefinition ForRequest<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, string handlerName, Func<TIn, HandlerContext, ValueTask<TOut>> handle) =>
        new(MessageKind.Request, topic.Pattern, handlerName, async (context, serializers) =>
        {
            if (Decode<TIn>(context, serializers, out var input, out var serializer) is { } malformed)
            {
                return malformed;
            }

            var answer = await handle(input!, context).ConfigureAwait(false);
            return new ReplyMessage
            {
                Status = context.Status,
                Headers = context.ReplyHeaders,
                ContentType = serializer.ContentType,
                Body = SerializerSet.Encode(serializer, answer),
                Error = context.Status.IsFailure ? $"The handler answered with status {(int)context.Status}." : null,
            };
        });

    public static HandlerDefinition ForSignal<T>(
        SignalPattern<T> pattern, string handlerName, Func<T, HandlerContext, ValueTask> handle) =>
        new(MessageKind.Signal, pattern.Pattern, handlerName, async (context, serializers) =>
        {
            if (Decode<T>(context, serializers, out var signal, out _) is { } malformed)
            {
                return malformed;
            }

            await handle(signal!, context).ConfigureAwait(false);
            return context.Status.IsFailure
                ? ReplyMessage.Failure(context.Status, $"The handler answered with status {(int)context.Status}.")
                : s_handled;
        });

    public static ArgumentException WrongType(ITopicContract contract, Type handlerType, Type expected) => new(
        $"{handlerType.Name} cannot handle '{contract.Pattern}': it does not implement {Describe(expected)}.");

    public HandlerDefinition With(HandlerOptions options) => new(Kind, Pattern, _handlerName, _handle) { Options = options };

    public Func<HandlerContext, ValueTask<ReplyMessage>> Handle(SerializerSet serializers) => context => _handle(context, serializers);

    public override string ToString() =>
        $"{(Kind == MessageKind.Request ? "request" : "signal")} handler {_handlerName} on '{Pattern}'" +
        (Group is null ? "" : $" in group '{Group}'");

    private static readonly ReplyMessage s_handled = new() { Status = StatusCode.Ok };

    private static ReplyMessage? Decode<T>(HandlerContext context, SerializerSet serializers, out T? value, out IMessageSerializer serializer)
    {
        value = default;
        var message = context.Message;
        var found = serializers.For(message.ContentType);
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
            value = found.Deserialize<T>(message.Body);
            context.HandlerRan = true;
            return null;
        }
        catch (MalformedBodyException failure)
        {
            context.Exception = failure;
            return ReplyMessage.Failure(StatusCode.BadRequest, failure.Message, notProcessed: true);
        }
    }

    private static string Describe(Type type) =>
        $"{type.Name.AsSpan(0, type.Name.IndexOf('`', StringComparison.Ordinal))}<{string.Join(", ", type.GenericTypeArguments.Select(t => t.Name))}>";
}
