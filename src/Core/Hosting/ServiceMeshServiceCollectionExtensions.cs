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
    /// Adds the bus of this application: <see cref="IServiceBus"/> as a singleton, started and stopped by the host. Called again, it
    /// returns the same bus, so that each module of an application adds its own handlers.
    /// </summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="section">
    /// Usually <c>builder.Configuration.GetSection("ServiceMesh")</c>; null for defaults, or for what an earlier call gave.
    /// </param>
    /// <exception cref="InvalidOperationException">An earlier call gave another section; the message names both.</exception>
    /// <example>
    /// <code source="samples/Snippets/Hosting.cs" region="add" />
    /// </example>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, IConfiguration? section = null) =>
        services.AddServiceMesh("", section);

    /// <summary>
    /// Adds the bus of this application, with its options set in code. Called again, it sets more options of the same bus; two calls that
    /// set one option differently are an error at start.
    /// </summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="configure">Sets the options. They are checked at start.</param>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, Action<ServiceMeshOptions> configure) =>
        services.AddServiceMesh("", configure);

    /// <summary>Adds one of several buses, with its options set in code; or sets more options of one that was added.</summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="name">The key.</param>
    /// <param name="configure">Sets the options. They are checked at start.</param>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, string name, Action<ServiceMeshOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = services.AddServiceMesh(name);
        ((BusBuilder)builder).InCode.Add(configure);
        return builder.Configure(configure);
    }

    /// <summary>Adds one of several buses, as a keyed service: <c>[FromKeyedServices("orders")] IServiceBus bus</c>.</summary>
    /// <param name="services">Where to add it.</param>
    /// <param name="name">The key; empty for the bus that is injected without a key.</param>
    /// <param name="section">The configuration of this bus; null for defaults, or for what an earlier call gave.</param>
    /// <exception cref="InvalidOperationException">An earlier call gave another section; the message names both.</exception>
    public static IServiceMeshBuilder AddServiceMesh(this IServiceCollection services, string name, IConfiguration? section = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        if (BusBuilder.Find(services, name) is { } added)
        {
            added.Accept(section);
            return added;
        }

        var builder = new BusBuilder(services, name, section);
        services.AddKeyedSingleton(name, builder);
        AddOptions(builder);
        services.AddLogging();
        services.AddMetrics();
        services.AddKeyedSingleton<IMessageSerializer>(name, (provider, _) =>
            new JsonMessageSerializer(provider.GetRequiredService<IOptionsMonitor<JsonBodyOptions>>().Get(name).Json));
        services.AddKeyedSingleton(name, (_, _) => new BusSection(builder.Configuration));
        services.AddKeyedSingleton(name, (provider, _) => new RestartNotice(
            builder.Configuration,
            provider.GetKeyedServices<ReloadedKeys>(name),
            provider.GetRequiredService<ILoggerFactory>().CreateLogger("ServiceMesh")));
        services.AddKeyedSingleton(name, (provider, _) => Build(services, provider, name));
        services.AddKeyedSingleton(name, (provider, _) => provider.GetRequiredKeyedService<MeshParts>(name).Lifetime);
        services.AddKeyedSingleton<IServiceBus>(name, (provider, _) => provider.GetRequiredKeyedService<MeshParts>(name).Bus);
        services.AddKeyedSingleton<IErrorQueue>(
            name, (provider, _) => new ErrorQueueOfNode(provider.GetRequiredKeyedService<NodeLifetime>(name)));
        AddContractsCommand(services, name);
        services.AddSingleton<IHostedService>(
            provider => new MeshHostedService(new(() => provider.GetRequiredKeyedService<NodeLifetime>(name))));
        if (name.Length == 0)
        {
            services.AddSingleton<IServiceBus>(provider => provider.GetRequiredKeyedService<IServiceBus>(name));
            services.AddSingleton(provider => provider.GetRequiredKeyedService<IErrorQueue>(name));
        }

        return builder;
    }

    private static void AddContractsCommand(IServiceCollection services, string name)
    {
        if (!services.Any(d => d.ServiceType == typeof(BusName)))
        {
            services.AddSingleton<IHostedService>(provider => new ContractsCommand(provider, Console.Out, Environment.Exit));
        }

        services.AddSingleton(new BusName(name));
    }

    private static void AddOptions(BusBuilder builder)
    {
        // First, whichever call brings the section: what is set in code comes after it.
        var (services, name) = (builder.Services, builder.Name);
        var options = services.AddOptions<ServiceMeshOptions>(name).ValidateOnStart().Configure(target =>
        {
            if (builder.Configuration is { } section)
            {
                SectionBinding.Explained(() => section.Bind(target), typeof(ErrorPolicy), typeof(ErrorDetails), typeof(ContractMatching));
            }
        });
        options.PostConfigure<IServiceProvider>((target, provider) =>
        {
            target.KeyOf = key => SectionBinding.PathOf(builder.Configuration, key);
            target.Transport ??= TransportWhenNoneIsNamed(provider, name);
        });
        services.AddSingleton<IValidateOptions<ServiceMeshOptions>>(provider => new ServiceMeshOptionsValidator(
            builder,
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
        var loggerFactory = new PrintableLogs(provider.GetRequiredService<ILoggerFactory>(), clock);
        var logger = loggerFactory.CreateLogger("ServiceMesh");
        var serializers = new SerializerSet(
            provider.GetKeyedServices<IMessageSerializer>(name)
                .Select(s => options.Contracts == ContractMatching.Exact ? s.WithExactContracts() : s),
            options.Serializer);
        var bodies = new BodyLimit(options.Request.MaxBodyBytes, options.KeyOf("Request:MaxBodyBytes"));
        var telemetry = new Telemetry(provider.GetRequiredService<IMeterFactory>(), chosen.Transport.Capabilities.System, clock);
        var (identity, state, subscriptions) = (new NodeIdentity(options.NodeName, name), new NodeState(), new SubscriptionRegistry());
        telemetry.Observe(subscriptions.Loads);
        var errors = new ErrorReporter(
            identity, options.ErrorPolicy, DataBytes(options.ErrorPolicy, options.Errors), telemetry, logger, clock);

        ServiceBus? bus = null;
        var pipeline = new HandlerPipeline(
            serializers,
            provider.GetKeyedServices<IHandlerMiddleware>(name),
            provider.GetRequiredService<IServiceScopeFactory>(),
            () => bus!);
        var limits = new HandlerLimits(options.Handler.Timeout, options.Handler.MaxConcurrency, options.Handler.MaxQueued);
        var receiver = new Receiver(
            identity, state, pipeline, limits, DetailsOf(options.Errors, chosen.Transport, provider), bodies, telemetry, errors, logger,
            clock);
        var sender = new Sender(
            identity, new(chosen.Transport, [.. provider.GetKeyedServices<ISendMiddleware>(name)], identity, logger),
            serializers, options.Request.Timeout, bodies, telemetry, errors, logger, clock);

        var shutdown = new ShutdownBudget(options.DrainTimeout, logger, clock);
        var subscriber = new Subscriber(chosen, receiver, subscriptions, shutdown, logger);
        var presence = new NodePresence(identity, state, subscriptions, clock);
        var queue = new Lazy<IErrorStore>(() => chosen.Transport.ErrorQueue ?? new FileErrorQueue(
            options.Errors.QueueFile ?? Path.Combine("servicemesh-errors", $"{identity.FileName}.jsonl"),
            options.KeyOf, options.Errors.QueueCapacity, logger, clock));
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

    // A report that is published must pass the limits of all transports, whatever its escapes do to its size.
    private static int DataBytes(ErrorPolicy policy, ServiceMeshErrorOptions errors) =>
        !errors.WholeBody ? errors.MaxDataBytes
        : policy == ErrorPolicy.Publish ? ServiceMeshErrorOptions.MaxPublishedBytes
        : int.MaxValue;

    private static ErrorDetails DetailsOf(ServiceMeshErrorOptions errors, ITransport transport, IServiceProvider provider) =>
        errors.Details
        ?? (transport is IInProcessTransport || provider.GetService<IHostEnvironment>()?.IsDevelopment() == true
            ? ErrorDetails.Message
            : ErrorDetails.None);

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
}
