using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>
/// The services of one message's scope as its handler sees them. A container that is disposed while the handler runs is the end of the
/// node, and the handler is told so as a cancellation, like every other way in which a node ends. Thread-safe.
/// </summary>
internal sealed class HandlerServices(Delivery delivery) : IKeyedServiceProvider, ISupportRequiredService
{
    public object? GetService(Type serviceType) =>
        serviceType == typeof(IServiceProvider) ? this : Get(static (services, type, _) => services.GetService(type), serviceType, null);

    public object GetRequiredService(Type serviceType) =>
        serviceType == typeof(IServiceProvider)
            ? this
            : Get(static (services, type, _) => services.GetRequiredService(type), serviceType, null)!;

    public object? GetKeyedService(Type serviceType, object? serviceKey) =>
        Get(static (services, type, key) => ((IKeyedServiceProvider)services).GetKeyedService(type, key), serviceType, serviceKey);

    public object GetRequiredKeyedService(Type serviceType, object? serviceKey) =>
        Get(static (services, type, key) => services.GetRequiredKeyedService(type, key), serviceType, serviceKey)!;

    private object? Get(Func<IServiceProvider, Type, object?, object?> get, Type type, object? key)
    {
        var scope = delivery.ScopeOfHandler();
        try
        {
            return get(scope.ServiceProvider, type, key);
        }
        catch (ObjectDisposedException failure) when (delivery.IsContainerGone(failure))
        {
            throw delivery.CancelledBy(failure);
        }
    }
}
