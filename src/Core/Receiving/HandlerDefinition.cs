using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace ServiceMesh;

/// <summary>
/// A handler as it was registered: what it listens to, how it is called, with which options. A value that many nodes
/// may use; each makes its own <see cref="Subscription"/> from it. Immutable.
/// </summary>
internal sealed class HandlerDefinition
{
    /// <summary>The group of request handlers that name none.</summary>
    public const string DefaultGroup = "_default";

    // What is read of a handler class: its constructors when it is made, its method for what that says of null.
    private const DynamicallyAccessedMemberTypes Accessed =
        DynamicallyAccessedMemberTypes.PublicMethods | DynamicallyAccessedMemberTypes.PublicConstructors;

    private static readonly ReplyMessage s_handled = new() { Status = StatusCode.Ok };

    private readonly string _handlerName;
    private readonly Action<IMessageSerializer> _ensureSupported;
    private readonly bool _isReserved;
    private readonly Func<HandlerDefinition, Delivery, SerializerSet, ValueTask<ReplyMessage>> _handle;

    private HandlerDefinition(
        MessageKind kind,
        TopicPattern pattern,
        Type input,
        Type? output,
        string handlerName,
        Action<IMessageSerializer> ensureSupported,
        Func<HandlerDefinition, Delivery, SerializerSet, ValueTask<ReplyMessage>> handle)
    {
        Kind = kind;
        Pattern = pattern;
        Input = input;
        Output = output;
        _handlerName = handlerName;
        _ensureSupported = ensureSupported;
        _handle = handle;
        _isReserved = ReservedTopics.IsReserved(pattern);
    }

    public MessageKind Kind { get; }

    public TopicPattern Pattern { get; }

    /// <summary>The type of its messages.</summary>
    public Type Input { get; }

    /// <summary>The type of its answers; null for a handler of signals.</summary>
    public Type? Output { get; }

    public HandlerOptions Options { get; private init; } = new();

    /// <summary>True for a class, which is resolved from the scope of its message; a delegate may do without a scope.</summary>
    public bool NeedsScope { get; private init; }

    /// <summary>True when the handler's code says that its message must not be null; null is then 400.</summary>
    public bool ForbidsNull { get; private init; }

    /// <summary>The class; null for a delegate.</summary>
    [DynamicallyAccessedMembers(Accessed)]
    public Type? HandlerType { get; private init; }

    /// <summary>The key by which the class is registered; null for none.</summary>
    public string? HandlerKey { get; private init; }

    public string? Group => Options.Group ?? (Kind == MessageKind.Request ? DefaultGroup : null);

    /// <summary>A delegate that answers requests.</summary>
    public static HandlerDefinition ForRequest<TIn, TOut>(
        TopicPattern topic, string handlerName, Func<TIn, HandlerContext, ValueTask<TOut>> handle)
    {
        return new(MessageKind.Request, topic, typeof(TIn), typeof(TOut), handlerName, EnsureSupported, (self, delivery, serializers) =>
            self.TryDecode<TIn>(delivery, serializers, out var input, out var reader, out var refusal)
                ? AnswerAsync(handle(input!, delivery), delivery, self._isReserved ? serializers.Writer(isOwnTopic: true) : reader)
                : new(refusal));

        static void EnsureSupported(IMessageSerializer serializer)
        {
            serializer.EnsureSupported<TIn>();
            serializer.EnsureSupported<TOut>();
        }
    }

    /// <summary>A delegate that receives signals.</summary>
    public static HandlerDefinition ForSignal<T>(TopicPattern pattern, string handlerName, Func<T, HandlerContext, ValueTask> handle) =>
        new(
            MessageKind.Signal, pattern, typeof(T), null, handlerName, static serializer => serializer.EnsureSupported<T>(),
            (self, delivery, serializers) => self.TryDecode<T>(delivery, serializers, out var signal, out _, out var refusal)
                ? EndAsync(handle(signal!, delivery), delivery)
                : new(refusal));

    /// <summary>A class that is resolved from the scope of each message.</summary>
    /// <param name="contract">What it handles.</param>
    /// <param name="handlerType">The class.</param>
    /// <param name="key">The key by which it is registered; null for none.</param>
    /// <exception cref="ArgumentException">The class does not implement the interface of the contract.</exception>
    public static HandlerDefinition ForClass(
        ITopicContract contract,
        [DynamicallyAccessedMembers(Accessed)] Type handlerType,
        string? key = null) => contract.Accept(new HandlerClass(handlerType, key));

    /// <exception cref="ArgumentException">The class does not implement the interface of the contract.</exception>
    public static void EnsureHandles(ITopicContract contract, [DynamicallyAccessedMembers(Accessed)] Type handlerType) =>
        ForClass(contract, handlerType);

    public HandlerDefinition With(HandlerOptions options) =>
        new(Kind, Pattern, Input, Output, _handlerName, _ensureSupported, _handle)
        {
            Options = options,
            NeedsScope = NeedsScope,
            ForbidsNull = ForbidsNull,
            HandlerType = HandlerType,
            HandlerKey = HandlerKey,
        };

    /// <summary>The same, with what the method that handles the message says of it.</summary>
    public HandlerDefinition CalledAs(MethodInfo? method) =>
        new(Kind, Pattern, Input, Output, _handlerName, _ensureSupported, _handle)
        {
            Options = Options,
            NeedsScope = NeedsScope,
            ForbidsNull = HandlerAnnotation.ForbidsNull(method),
            HandlerType = HandlerType,
            HandlerKey = HandlerKey,
        };

    /// <summary>Refuses types that the bus could not write and read, before the first message.</summary>
    /// <exception cref="NotSupportedException">The serializer that writes refuses a type; the message says what to do.</exception>
    public void EnsureSupported(SerializerSet serializers)
    {
        try
        {
            _ensureSupported(serializers.Writer(_isReserved));
        }
        catch (NotSupportedException refusal)
        {
            throw new NotSupportedException($"The {this} cannot be served. {refusal.Message}", refusal);
        }
    }

    /// <summary>Decodes the message, calls the handler and encodes its answer. The handler's own exceptions pass through.</summary>
    public ValueTask<ReplyMessage> HandleAsync(Delivery delivery, SerializerSet serializers) => _handle(this, delivery, serializers);

    public override string ToString() =>
        $"{(Kind == MessageKind.Request ? "request" : "signal")} handler {_handlerName} on '{Pattern}'" +
        (Group is null ? "" : $" in group '{Group}'");

    // False with the reason when the handler is not called: the body is not a T, or time was up meanwhile.
    private bool TryDecode<T>(
        Delivery delivery, SerializerSet serializers, out T? value, out IMessageSerializer serializer,
        [NotNullWhen(false)] out ReplyMessage? refusal)
    {
        value = default;
        var message = delivery.Message;
        if (message.Passed is PassedValue<T> passed)
        {
            value = passed.Value;
            serializer = serializers.Configured;
            return Accepts<T>(value is null, delivery, out refusal) && delivery.TryEnterHandler(out refusal);
        }

        var found = serializers.Reader(message.ContentType, _isReserved);
        serializer = found ?? serializers.Configured;
        if (found is null)
        {
            refusal = ReplyMessage.Failure(
                StatusCode.BadRequest,
                $"No serializer here reads '{message.ContentType}'; there are: {string.Join(", ", serializers.ContentTypes)}.",
                notProcessed: true);
            return false;
        }

        try
        {
            if (found != serializers.Configured)
            {
                _ensureSupported(found); // the configured one was asked at start
            }

            value = SerializerSet.Decode<T>(found, message.Body);
        }
        catch (MalformedBodyException failure)
        {
            delivery.Exception = failure;
            refusal = ReplyMessage.Failure(StatusCode.BadRequest, failure.Message, notProcessed: true);
            return false;
        }
        catch (NotSupportedException unsupported)
        {
            // This is not the caller's mistake: the handler can be called in another format.
            delivery.Exception = unsupported;
            refusal = ReplyMessage.Failure(
                StatusCode.HandlerFailed,
                $"The handler of '{message.Topic}' cannot be called with '{found.ContentType}'. {unsupported.Message}",
                notProcessed: true);
            return false;
        }

        return Accepts<T>(value is null, delivery, out refusal) && delivery.TryEnterHandler(out refusal);
    }

    private bool Accepts<T>(bool isNull, Delivery delivery, [NotNullWhen(false)] out ReplyMessage? refusal)
    {
        refusal = null;
        if (isNull && ForbidsNull)
        {
            var found = delivery.Message.BodyLength == 0 ? "empty" : "null";
            var failure = new MalformedBodyException($"The body is {found}; {TypeWords.Value(typeof(T), "a value")} is expected.");
            delivery.Exception = failure;
            refusal = ReplyMessage.Failure(StatusCode.BadRequest, failure.Message, notProcessed: true);
        }

        return refusal is null;
    }

    // Most handlers end before they wait: these need no state machine.
    private static ValueTask<ReplyMessage> AnswerAsync<T>(ValueTask<T> handling, Delivery delivery, IMessageSerializer serializer) =>
        handling.IsCompletedSuccessfully
            ? new(Answer(handling.Result, delivery, serializer))
            : WhenEndedAsync(handling, delivery, serializer);

    private static async ValueTask<ReplyMessage> WhenEndedAsync<T>(
        ValueTask<T> handling, Delivery delivery, IMessageSerializer serializer) =>
        Answer(await handling.ConfigureAwait(false), delivery, serializer);

    private static ReplyMessage Answer<T>(T value, Delivery delivery, IMessageSerializer serializer)
    {
        var error = delivery.Status.IsFailure ? SaidBy(delivery) : null;
        var reply = delivery.ReplyIsSeen ? new() { Status = delivery.Status } : ReplyMessage.Rent();
        if (delivery.Message.Passed is not null)
        {
            return reply.Fill(delivery.Status, delivery.ReplyHeaders, serializer.ContentType, new PassedValue<T>(value, serializer), error);
        }

        var buffer = reply.Buffer;
        var body = SerializerSet.Encode(serializer, value, ref buffer);
        return reply.Fill(delivery.Status, delivery.ReplyHeaders, serializer.ContentType, body, buffer, error);
    }

    private static async ValueTask<ReplyMessage> EndAsync(ValueTask handling, Delivery delivery)
    {
        await handling.ConfigureAwait(false);
        return delivery.Status.IsFailure ? ReplyMessage.Failure(delivery.Status, SaidBy(delivery)) : s_handled;
    }

    private static string SaidBy(Delivery delivery) => $"The handler answered with status {(int)delivery.Status}.";

    /// <summary>Makes the definition of a class from the types of its contract.</summary>
    private sealed class HandlerClass([DynamicallyAccessedMembers(Accessed)] Type handlerType, string? key)
        : IContractVisitor<HandlerDefinition>
    {
        [DynamicallyAccessedMembers(Accessed)]
        private readonly Type _handlerType = handlerType;

        public HandlerDefinition VisitRequest<TIn, TOut>(RequestTopic<TIn, TOut> topic)
        {
            ThrowIfNot(typeof(IRequestHandler<TIn, TOut>), topic);
            return OfScope(ForRequest<TIn, TOut>(
                topic.Pattern, _handlerType.Name, (input, context) =>
                    new(Resolve<IRequestHandler<TIn, TOut>>(context).HandleAsync(input, context))), typeof(TIn));
        }

        public HandlerDefinition VisitSignal<T>(SignalPattern<T> pattern)
        {
            ThrowIfNot(typeof(ISignalHandler<T>), pattern);
            return OfScope(ForSignal<T>(
                pattern.Pattern, _handlerType.Name, (signal, context) =>
                    new(Resolve<ISignalHandler<T>>(context).HandleAsync(signal, context))), typeof(T));
        }

        private HandlerDefinition OfScope(HandlerDefinition definition, Type message) =>
            new(
                definition.Kind, definition.Pattern, definition.Input, definition.Output, definition._handlerName,
                definition._ensureSupported, definition._handle)
            {
                NeedsScope = true,
                HandlerType = _handlerType,
                HandlerKey = key,
                ForbidsNull = HandlerAnnotation.ForbidsNull(
                    _handlerType.GetMethod("HandleAsync", [message, typeof(HandlerContext)])),
            };

        private T Resolve<T>(HandlerContext context) => (T)((Delivery)context).Resolve(_handlerType, key);

        private void ThrowIfNot(Type expected, ITopicContract contract)
        {
            if (!expected.IsAssignableFrom(_handlerType))
            {
                throw new ArgumentException(
                    $"{_handlerType.Name} cannot handle '{contract.Pattern}': it does not implement {Describe(expected)}.");
            }
        }

        private static string Describe(Type type) =>
            $"{type.Name.AsSpan(0, type.Name.IndexOf('`', StringComparison.Ordinal))}" +
            $"<{string.Join(", ", type.GenericTypeArguments.Select(t => t.Name))}>";
    }
}
