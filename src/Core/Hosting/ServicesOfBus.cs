using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>
/// The services of an application as the handler classes of one of several buses see them: what belongs to a bus is that of their own
/// bus. Explicit keys are as the class says. Thread-safe.
/// </summary>
internal sealed class ServicesOfBus(IServiceProvider services, string bus)
    : IKeyedServiceProvider, IServiceProviderIsKeyedService, ISupportRequiredService
{
    private static readonly Type[] s_own = [typeof(IServiceBus), typeof(IErrorQueue)];

    public object? GetService(Type serviceType) => s_own.Contains(serviceType) ? services.GetRequiredKeyedService(serviceType, bus)
        : serviceType == typeof(IServiceProviderIsService) || serviceType == typeof(IServiceProviderIsKeyedService) ? this
        : services.GetService(serviceType);

    public object GetRequiredService(Type serviceType) =>
        s_own.Contains(serviceType) ? services.GetRequiredKeyedService(serviceType, bus) : services.GetRequiredService(serviceType);

    public object? GetKeyedService(Type serviceType, object? serviceKey) =>
        (services as IKeyedServiceProvider)?.GetKeyedService(serviceType, serviceKey);

    public object GetRequiredKeyedService(Type serviceType, object? serviceKey) =>
        services.GetRequiredKeyedService(serviceType, serviceKey);

    public bool IsService(Type serviceType) =>
        s_own.Contains(serviceType) || services.GetRequiredService<IServiceProviderIsService>().IsService(serviceType);

    public bool IsKeyedService(Type serviceType, object? serviceKey) =>
        services.GetService<IServiceProviderIsKeyedService>()?.IsKeyedService(serviceType, serviceKey) ?? false;
}
