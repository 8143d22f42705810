using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Testing;

/// <summary>
/// Changes the bus of an application for a test. Call these after the application's own registrations: in a
/// <c>WebApplicationFactory</c> within <c>ConfigureTestServices</c>. The last parameter is the name of the bus; empty for the bus that is
/// injected without a key. Each throws <see cref="InvalidOperationException"/> if no bus has that name.
/// </summary>
public static class MeshTestingServiceCollectionExtensions
{
    /// <summary>
    /// Runs a bus in memory on this network, whatever transport its configuration and its code name. Hosts and applications with the
    /// same network reach each other. The in-memory transport does not know callers, so what handlers demand of them
    /// (<see cref="HandlerOptions.RequireAuthorization"/>) is left out: test that over HTTP.
    /// </summary>
    /// <example>
    /// <code source="tests/Testing.Tests/WebApplicationSnippet.cs" region="factory" />
    /// </example>
    public static IServiceCollection UseInMemoryTransport(this IServiceCollection services, InMemoryNetwork network, string bus = "")
    {
        ArgumentNullException.ThrowIfNull(network);
        var builder = BusOf(services, bus).AddInMemoryTransport();
        InMemoryConnection.Of(builder, null).Join(network);
        builder.Configure(options => options.Transport = InMemoryTransportOptions.TransportName);
        services.AddKeyedSingleton(bus, new RunsInMemory());
        WithoutAuthorization(services, bus);
        return services;
    }

    /// <summary>
    /// Records what a bus sends, in a <see cref="SentMessages"/>, and lets a test make it fail, by a <see cref="MeshFailures"/>. Both are
    /// singletons of the container; for a bus with a name, keyed by it.
    /// </summary>
    public static IServiceCollection AddMeshTesting(this IServiceCollection services, string bus = "")
    {
        var builder = BusOf(services, bus);
        if (services.Any(d => d.IsKeyedService && d.ServiceType == typeof(SentMessages) && bus.Equals(d.ServiceKey)))
        {
            return services;
        }

        services.AddKeyedSingleton<SentMessages>(bus);
        services.AddKeyedSingleton<MeshFailures>(bus);
        if (bus.Length == 0)
        {
            services.AddSingleton(provider => provider.GetRequiredKeyedService<SentMessages>(bus));
            services.AddSingleton(provider => provider.GetRequiredKeyedService<MeshFailures>(bus));
        }

        // Last, so that it is next to the transport: it sees messages as they leave.
        builder.Services.AddKeyedSingleton<ISendMiddleware>(bus, (provider, _) => new TestStep(
            provider.GetRequiredKeyedService<SentMessages>(bus),
            provider.GetRequiredKeyedService<MeshFailures>(bus),
            [.. provider.GetKeyedServices<IMessageSerializer>(bus)],
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }

    /// <summary>
    /// Answers the requests of a topic with a function of the test, in place of the handlers that the application has for it. Where the
    /// application has none, because another service handles the topic, the function is added.
    /// </summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="topic">What to answer.</param>
    /// <param name="fake">The function. It has the options of the first handler that it replaces: group, limits, timeout.</param>
    /// <param name="bus">The name of the bus.</param>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static IServiceCollection ReplaceHandler<TIn, TOut>(
        this IServiceCollection services, RequestTopic<TIn, TOut> topic, Func<TIn, HandlerContext, Task<TOut>> fake, string bus = "")
    {
        var builder = WithoutHandlersOf(services, topic, bus, out var options);
        builder.AddHandler(topic, fake, options);
        return Adapted(services, bus);
    }

    /// <inheritdoc cref="ReplaceHandler{TIn,TOut}(IServiceCollection,RequestTopic{TIn,TOut},Func{TIn,HandlerContext,Task{TOut}},string)"/>
    public static IServiceCollection ReplaceHandler<TIn, TOut>(
        this IServiceCollection services, RequestTopic<TIn, TOut> topic, Func<TIn, HandlerContext, TOut> fake, string bus = "")
    {
        var builder = WithoutHandlersOf(services, topic, bus, out var options);
        builder.AddHandler(topic, fake, options);
        return Adapted(services, bus);
    }

    /// <summary>
    /// Receives the signals of a topic with a function of the test, in place of all handlers that the application has for exactly this
    /// topic or pattern, in all groups. Where it has none, the function is added.
    /// </summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="pattern">What to receive.</param>
    /// <param name="fake">The function. It has the options of the first handler that it replaces: group, limits, timeout.</param>
    /// <param name="bus">The name of the bus.</param>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static IServiceCollection ReplaceHandler<T>(
        this IServiceCollection services, SignalPattern<T> pattern, Func<T, HandlerContext, Task> fake, string bus = "")
    {
        var builder = WithoutHandlersOf(services, pattern, bus, out var options);
        builder.AddHandler(pattern, fake, options);
        return Adapted(services, bus);
    }

    /// <inheritdoc cref="ReplaceHandler{T}(IServiceCollection,SignalPattern{T},Func{T,HandlerContext,Task},string)"/>
    public static IServiceCollection ReplaceHandler<T>(
        this IServiceCollection services, SignalPattern<T> pattern, Action<T, HandlerContext> fake, string bus = "")
    {
        var builder = WithoutHandlersOf(services, pattern, bus, out var options);
        builder.AddHandler(pattern, fake, options);
        return Adapted(services, bus);
    }

    /// <summary>
    /// Handles a topic with a class of the test, in place of all handlers that the application has for exactly this topic or pattern.
    /// Where it has none, the class is added.
    /// </summary>
    /// <typeparam name="THandler">Implements the interface of the contract.</typeparam>
    /// <param name="services">The services of the application.</param>
    /// <param name="contract">What to handle.</param>
    /// <param name="bus">The name of the bus.</param>
    /// <exception cref="ArgumentException">The class does not implement the interface of the contract.</exception>
    public static IServiceCollection ReplaceHandler<
        [DynamicallyAccessedMembers(
            DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.PublicMethods)] THandler>(
        this IServiceCollection services, ITopicContract contract, string bus = "")
        where THandler : class
    {
        var builder = WithoutHandlersOf(services, contract, bus, out var options);
        builder.AddHandler<THandler>(contract, options);
        return Adapted(services, bus);
    }

    /// <summary>
    /// Removes all handlers that were registered with a bus: the application calls, and answers nothing. Handlers that it subscribes at
    /// run time are not concerned.
    /// </summary>
    public static IServiceCollection RemoveHandlers(this IServiceCollection services, string bus = "")
    {
        BusOf(services, bus);
        Remove(services, bus, _ => true);
        return services;
    }

    /// <summary>Removes the handlers that were registered for exactly this topic or pattern, in all groups.</summary>
    public static IServiceCollection RemoveHandlers(this IServiceCollection services, ITopicContract contract, string bus = "")
    {
        WithoutHandlersOf(services, contract, bus, out _);
        return services;
    }

    private static BusBuilder BusOf(IServiceCollection services, string bus)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(bus);
        return BusBuilder.Find(services, bus) ?? throw new InvalidOperationException(
            $"{(bus.Length == 0 ? "There is not a bus without a name" : $"There is not a bus '{bus}'")} in these services. Add it with " +
            "AddServiceMesh first. In a WebApplicationFactory call this within ConfigureTestServices, which comes after the application.");
    }

    private static BusBuilder WithoutHandlersOf(
        IServiceCollection services, ITopicContract contract, string bus, out Action<HandlerOptions>? options)
    {
        ArgumentNullException.ThrowIfNull(contract);
        var builder = BusOf(services, bus);
        var kind = ContractKind.Of(contract);
        var removed = Remove(services, bus, handler => handler.Kind == kind && handler.Pattern.Equals(contract.Pattern));
        options = removed.Count == 0 ? null : target => Copy(removed[0].Options, target);
        return builder;
    }

    private static List<HandlerDefinition> Remove(IServiceCollection services, string bus, Func<HandlerDefinition, bool> which)
    {
        var removed = new List<HandlerDefinition>();
        foreach (var descriptor in services.Where(d => d.IsKeyedService && bus.Equals(d.ServiceKey)).ToArray())
        {
            if (descriptor.KeyedImplementationInstance is HandlerDefinition handler && which(handler))
            {
                removed.Add(handler);
                services.Remove(descriptor);
            }
        }

        return removed;
    }

    private static IServiceCollection Adapted(IServiceCollection services, string bus)
    {
        if (services.Any(d => d.IsKeyedService && d.ServiceType == typeof(RunsInMemory) && bus.Equals(d.ServiceKey)))
        {
            WithoutAuthorization(services, bus);
        }

        return services;
    }

    /// <summary>Lets handlers run on a transport that does not know callers.</summary>
    internal static void WithoutAuthorization(IServiceCollection services, string bus)
    {
        for (var i = 0; i < services.Count; i++)
        {
            if (services[i] is { IsKeyedService: true, KeyedImplementationInstance: HandlerDefinition handler }
                && bus.Equals(services[i].ServiceKey)
                && handler.Options.AuthorizationPolicies.Count > 0)
            {
                var options = new HandlerOptions();
                CopyLimits(handler.Options, options);
                services[i] = ServiceDescriptor.KeyedSingleton(bus, handler.With(options));
            }
        }
    }

    private static void Copy(HandlerOptions from, HandlerOptions to)
    {
        CopyLimits(from, to);
        if (from.AuthorizationPolicies.Count > 0)
        {
            // An empty name stands for the default policy, which is asked for without names.
            string[] named = [.. from.AuthorizationPolicies.Where(policy => policy.Length > 0)];
            if (named.Length > 0)
            {
                to.RequireAuthorization(named);
            }

            if (named.Length < from.AuthorizationPolicies.Count)
            {
                to.RequireAuthorization();
            }
        }
    }

    // All but what is demanded of callers.
    private static void CopyLimits(HandlerOptions from, HandlerOptions to)
    {
        to.Group = from.Group;
        to.Timeout = from.Timeout;
        to.MaxConcurrency = from.MaxConcurrency;
        to.MaxQueued = from.MaxQueued;
        to.Ordered = from.Ordered;
    }

    /// <summary>Marks a bus that a test runs in memory.</summary>
    private sealed class RunsInMemory;
}
