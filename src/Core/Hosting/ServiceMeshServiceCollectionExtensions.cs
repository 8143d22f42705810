using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ServiceMesh;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds a bus to an application.</summary>
public static class ServiceMeshServiceCollectionExtensions
{
    /// <summary>
    /// Adds the bus of this application: <see cref="IServiceBus"/> as a singleton, started and stopped by the host.
    /// </summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="section">Usually <c>builder.Configuration.GetSection("ServiceMesh")</c>; null for defaults.</param>
    /// <exception cref="InvalidOperationException">It was added before; give a second bus a name.</exception>
    /// <example>
    /// <code source="samples/Snippets/Hosting.cs" region="add" />
    /// </example>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, IConfiguration? section = null) =>
        services.AddServiceMesh("", section);

    /// <summary>Adds the bus of this application, with its options set in code and no configuration section.</summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="configure">Sets the options. They are checked at start.</param>
    /// <exception cref="InvalidOperationException">It was added before; give a second bus a name.</exception>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, Action<ServiceMeshOptions> configure) =>
        services.AddServiceMesh("", configure);

    /// <summary>Adds one of several buses, with its options set in code and no configuration section.</summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="name">The key.</param>
    /// <param name="configure">Sets the options. They are checked at start.</param>
    /// <exception cref="InvalidOperationException">A bus with this name was added before.</exception>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, string name, Action<ServiceMeshOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return services.AddServiceMesh(name).Configure(configure);
    }

    /// <summary>Adds one of several buses, as a keyed service: <c>[FromKeyedServices("orders")] IServiceBus bus</c>.</summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="name">The key; empty for the bus that is injected without a key.</param>
    /// <param name="section">The configuration of this bus; null for defaults.</param>
    /// <exception cref="InvalidOperationException">A bus with this name was added before.</exception>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, string name, IConfiguration? section = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        if (services.Any(d => d.ServiceType == typeof(MeshParts) && name.Equals(d.ServiceKey)))
        {
            throw new InvalidOperationException(
                name.Length == 0
                    ? "AddServiceMesh was called twice. Give a second bus a name: AddServiceMesh(\"name\", section)."
                    : $"AddServiceMesh was called twice for the bus '{name}'.");
        }

        AddOptions(services, name, section);
        services.AddLogging();
        services.AddMetrics();
        services.AddKeyedSingleton<IMessageSerializer>(name, (provider, _) =>
            new JsonMessageSerializer(provider.GetRequiredService<IOptionsMonitor<JsonBodyOptions>>().Get(name).Json));
        services.AddKeyedSingleton(name, new BusSection(section));
        if (section is not null)
        {
            services.AddKeyedSingleton(name, (provider, _) => new RestartNotice(
                section,
                provider.GetKeyedServices<ReloadedKeys>(name),
                provider.GetRequiredService<ILoggerFactory>().CreateLogger("ServiceMesh")));
        }

        services.AddKeyedSingleton(name, (provider, _) => Build(services, provider, name));
        services.AddKeyedSingleton(name, (provider, _) => provider.GetRequiredKeyedService<MeshParts>(name).Lifetime);
        services.AddKeyedSingleton<IServiceBus>(name, (provider, _) => provider.GetRequiredKeyedService<MeshParts>(name).Bus);
        services.AddKeyedSingleton<IErrorQueue>(
            name, (provider, _) => new ErrorQueueOfNode(provider.GetRequiredKeyedService<NodeLifetime>(name)));
        services.AddSingleton<IHostedService>(
            provider => new MeshHostedService(new(() => provider.GetRequiredKeyedService<NodeLifetime>(name))));
        if (name.Length == 0)
        {
            services.AddSingleton<IServiceBus>(provider => provider.GetRequiredKeyedService<IServiceBus>(name));
            services.AddSingleton(provider => provider.GetRequiredKeyedService<IErrorQueue>(name));
        }

        return new Builder(services, name, section);
    }

    private static void AddOptions(IServiceCollection services, string name, IConfiguration? section)
    {
        var options = services.AddOptions<ServiceMeshOptions>(name).ValidateOnStart();
        if (section is not null)
        {
            options.Configure(target => SectionBinding.Explained(() => section.Bind(target), typeof(ErrorPolicy)));
        }

        options.PostConfigure<IServiceProvider>((target, provider) =>
        {
            target.KeyOf = key => SectionBinding.PathOf(section, key);
            target.Transport ??= TransportWhenNoneIsNamed(provider, name);
        });
        services.AddSingleton<IValidateOptions<ServiceMeshOptions>>(provider => new ServiceMeshOptionsValidator(
            name, section,
            [.. provider.GetKeyedServices<TransportRegistration>(name)],
            [.. provider.GetKeyedServices<SectionKeys>(name)],
            [.. provider.GetKeyedServices<IMessageSerializer>(name)]));
    }

    private static string? TransportWhenNoneIsNamed(IServiceProvider provider, string name)
    {
        string[] added = [.. provider.GetKeyedServices<TransportRegistration>(name).Select(t => t.Name)];
        return added is [var only] ? only : added.FirstOrDefault(t => t == InMemoryTransportOptions.TransportName);
    }

    private static MeshParts Build(IServiceCollection services, IServiceProvider provider, string name)
    {
        var options = provider.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get(name);
        HandlerDefinition[] handlers = [.. provider.GetKeyedServices<HandlerDefinition>(name)];
        EnsureCanBeMade(services, provider, handlers);
        WarnOfMissingSection(provider, name);
        _ = provider.GetKeyedService<RestartNotice>(name); // which lives as long as the container
        var clock = provider.GetService<TimeProvider>() ?? TimeProvider.System;
        var registration = provider.GetKeyedServices<TransportRegistration>(name)
            .First(t => t.Name.Equals(options.Transport, StringComparison.OrdinalIgnoreCase));
        var chosen = new ChosenTransport(registration.Create(provider), registration.Name);
        var loggerFactory = provider.GetRequiredService<ILoggerFactory>();
        var logger = loggerFactory.CreateLogger("ServiceMesh");
        var serializers = new SerializerSet(provider.GetKeyedServices<IMessageSerializer>(name), options.Serializer);
        var bodies = new BodyLimit(options.Request.MaxBodyBytes, options.KeyOf("Request:MaxBodyBytes"));
        var telemetry = new Telemetry(provider.GetRequiredService<IMeterFactory>(), chosen.Transport.Capabilities.System, clock);
        var (identity, state, subscriptions) = (new NodeIdentity(options.NodeName, name), new NodeState(), new SubscriptionRegistry());
        telemetry.Observe(subscriptions.Loads);
        var errors = new ErrorReporter(identity, options.ErrorPolicy, options.Errors.MaxDataBytes, telemetry, logger, clock);

        ServiceBus? bus = null;
        var pipeline = new HandlerPipeline(
            serializers,
            provider.GetKeyedServices<IHandlerMiddleware>(name),
            provider.GetRequiredService<IServiceScopeFactory>(),
            () => bus!);
        var limits = new HandlerLimits(options.Handler.Timeout, options.Handler.MaxConcurrency, options.Handler.MaxQueued);
        var receiver = new Receiver(identity, state, pipeline, limits, bodies, telemetry, errors, logger, clock);
        var sender = new Sender(
            identity, new(chosen.Transport, [.. provider.GetKeyedServices<ISendMiddleware>(name)], identity, logger),
            serializers, options.Request.Timeout, bodies, telemetry, errors, logger, clock);

        var shutdown = new ShutdownBudget(options.DrainTimeout, logger, clock);
        var subscriber = new Subscriber(chosen, receiver, subscriptions, shutdown, logger);
        var presence = new NodePresence(identity, state, subscriptions, clock);
        var queue = new Lazy<IErrorQueue>(() => chosen.Transport.ErrorQueue ?? new FileErrorQueue(
            options.Errors.QueueFile ?? Path.Combine("servicemesh-errors", $"{identity.FileName}.jsonl"),
            options.Errors.QueueCapacity,
            logger));
        var lifetime = new NodeLifetime(
            chosen,
            new(identity, bodies, errors, options.KeyOf, presence.Describe, loggerFactory, clock),
            new(
                handlers,
                provider.GetKeyedServices<RequiredFeatures>(name).Aggregate(TransportFeatures.None, (all, one) => all | one.Features)),
            state, presence, sender, subscriber, errors,
            new(options.ErrorPolicy, queue, sender, telemetry, logger),
            new(provider.GetKeyedService<MeshLog>(name), identity, sender, telemetry, clock),
            shutdown, logger);
        bus = new(chosen.Transport, sender, subscriber, lifetime);
        return new(bus, lifetime);
    }

    private static void EnsureCanBeMade(IServiceCollection services, IServiceProvider provider, HandlerDefinition[] handlers)
    {
        if (HandlerClasses.Missing(services, provider, handlers).ToArray() is { Length: > 0 } missing)
        {
            throw new InvalidOperationException(string.Join(" ", missing));
        }
    }

    private static void WarnOfMissingSection(IServiceProvider provider, string name)
    {
        if (provider.GetRequiredKeyedService<BusSection>(name).Section is IConfigurationSection section && !section.Exists())
        {
            Log.SectionIsMissing(provider.GetRequiredService<ILoggerFactory>().CreateLogger("ServiceMesh"), section.Path);
        }
    }

    /// <summary>What the container hands out of one bus; the lifetime is what it disposes.</summary>
    private sealed record MeshParts(ServiceBus Bus, NodeLifetime Lifetime);

    private sealed record Builder(IServiceCollection Services, string Name, IConfiguration? Configuration) : IServiceMeshBuilder;
}
