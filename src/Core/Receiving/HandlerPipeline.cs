using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>How a message reaches the application's code: the steps around its handler, its scope of services, and its bus.</summary>
internal sealed class HandlerPipeline(
    SerializerSet serializers, IEnumerable<IHandlerMiddleware> middleware, IServiceScopeFactory scopes, Func<IServiceBus> bus)
{
    private readonly IHandlerMiddleware[] _middleware = [.. middleware];

    /// <summary>The bus that a handler is given. It is made after this, and before the first message arrives.</summary>
    public IServiceBus Bus => bus();

    /// <summary>True when the application has steps around its handlers.</summary>
    public bool HasSteps => _middleware.Length > 0;

    public IServiceScope CreateScope() => scopes.CreateScope();

    /// <summary>The steps around a handler as one function; built once for each subscription.</summary>
    /// <exception cref="NotSupportedException">The serializer refuses a type of the handler.</exception>
    public Func<Delivery, ValueTask<ReplyMessage>> Build(HandlerDefinition handler)
    {
        handler.EnsureSupported(serializers);
        Func<Delivery, ValueTask<ReplyMessage>> handle = delivery => handler.HandleAsync(delivery, serializers);
        // The bus answers who it is even where the application's own steps would refuse.
        if (_middleware.Length == 0 || (handler.Kind == MessageKind.Request && ReservedTopics.IsReserved(handler.Pattern)))
        {
            return handle;
        }

        Func<HandlerContext, ValueTask<ReplyMessage>> around = context => AsTask(handle, (Delivery)context);
        foreach (var step in _middleware.Reverse())
        {
            var next = around;
            around = context => step.HandleAsync(context, next);
        }

        return around;
    }

    // A step sees what the handler throws in the task, also when the handler throws before it returns one.
    private static ValueTask<ReplyMessage> AsTask(Func<Delivery, ValueTask<ReplyMessage>> handle, Delivery delivery)
    {
        try
        {
            delivery.BeginAttempt();
            return handle(delivery);
        }
        catch (Exception failure)
        {
            return ValueTask.FromException<ReplyMessage>(failure);
        }
    }
}
