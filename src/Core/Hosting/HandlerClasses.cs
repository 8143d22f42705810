using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ServiceMesh;

/// <summary>How the classes of handlers are registered, and what they need that is not.</summary>
internal static class HandlerClasses
{
    /// <summary>Registers a class as scoped, unless the application has registered it. Returns the key by which it is resolved.</summary>
    /// <remarks>
    /// For one of several buses the class is registered under the key of the bus as well, so that it gets that bus through its
    /// constructor; and what the application registered as a factory or an object is used as it is.
    /// </remarks>
    public static string? Register<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        IServiceCollection services, string bus)
        where T : class
    {
        if (bus.Length == 0)
        {
            services.TryAddScoped<T>();
            return null;
        }

        var registered = services.LastOrDefault(d => !d.IsKeyedService && d.ServiceType == typeof(T));
        if (registered is not null && registered.ImplementationType != typeof(T))
        {
            return null;
        }

        var make = Maker<T>();
        services.TryAdd(ServiceDescriptor.DescribeKeyed(
            typeof(T), bus, (provider, _) => make(new(provider, bus)), registered?.Lifetime ?? ServiceLifetime.Scoped));
        return bus;
    }

    /// <summary>What handlers need and the container does not have, one sentence for each.</summary>
    public static IEnumerable<string> Missing(
        IServiceCollection services, IServiceProvider provider, IEnumerable<HandlerDefinition> handlers)
    {
        if (provider.GetService<IServiceProviderIsService>() is not { } known)
        {
            yield break; // a container that does not say what it has
        }

        var search = new Search(services, known, provider.GetService<IServiceProviderIsKeyedService>());
        foreach (var handler in handlers)
        {
            if (handler.HandlerType is { } type && search.MissingOf(type, handler.HandlerKey) is { } missing)
            {
                yield return $"The {handler} cannot be made: {missing}, which is not registered. Register it, or change the constructor.";
            }
        }
    }

    private static Func<ServicesOfBus, T> Maker<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>()
        where T : class
    {
        if (typeof(T).GetConstructors().Length != 1)
        {
            return static services => ActivatorUtilities.CreateInstance<T>(services); // the one that can be called
        }

        var make = ActivatorUtilities.CreateFactory<T>([]);
        return services => make(services, null);
    }

    private sealed class Search(IServiceCollection services, IServiceProviderIsService known, IServiceProviderIsKeyedService? knownByKey)
    {
        // Each class is looked at once. While it is, it counts as complete: a cycle is the container's to report.
        private readonly Dictionary<Type, string?> _missing = [];

        /// <summary>A part of a sentence: what needs what; null when nothing is missing.</summary>
        public string? MissingOf(
            [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type handler, string? key)
        {
            // Under a key it is this library's own registration, which calls a constructor.
            var registered = services.LastOrDefault(d => d.ServiceType == handler && Equals(d.ServiceKey, key));
            return key is null && registered?.ImplementationType is null ? null : OfClass(handler);
        }

        private string? OfClass([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type type)
        {
            if (!_missing.TryGetValue(type, out var missing))
            {
                _missing[type] = null;
                _missing[type] = missing = OfConstructors(type);
            }

            return missing;
        }

        private string? OfConstructors([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type type)
        {
            string? first = null;
            foreach (var constructor in type.GetConstructors())
            {
                string? missing = null;
                foreach (var parameter in constructor.GetParameters())
                {
                    missing ??= OfParameter(type, parameter);
                }

                if (missing is null)
                {
                    return null;
                }

                first ??= missing;
            }

            return first;
        }

        private string? OfParameter(Type type, ParameterInfo parameter)
        {
            if (parameter.HasDefaultValue || parameter.IsDefined(typeof(ServiceKeyAttribute)))
            {
                return null;
            }

            var key = parameter.GetCustomAttribute<FromKeyedServicesAttribute>()?.Key;
            var isKnown = key is null
                ? known.IsService(parameter.ParameterType)
                : knownByKey?.IsKeyedService(parameter.ParameterType, key) ?? true;
            if (!isKnown)
            {
                return $"{type.Name} needs {parameter.ParameterType.Name}{(key is null ? "" : $" with the key '{key}'")}";
            }

            var registered = services.LastOrDefault(d => d.ServiceType == parameter.ParameterType && Equals(d.ServiceKey, key));
            var made = registered is { IsKeyedService: true } ? registered.KeyedImplementationType : registered?.ImplementationType;
            return made is null ? null : OfClass(made);
        }
    }
}
