using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ServiceMesh;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>What a bus is put together from.</summary>
public static class ServiceMeshBuilderExtensions
{
    /// <summary>
    /// Makes the in-memory transport available under the name <c>InMemory</c>. It runs when the configuration names it, and when the
    /// configuration names none. Called again, it changes more options of the same transport.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="network">
    /// What connects it with other buses of this process. Null for the <see cref="InMemoryNetwork"/> of the container, which a bus with a
    /// name finds under its name as key; and for a network of its own where the container has none.
    /// </param>
    /// <param name="configure">Changes options in code, after the section <c>InMemory</c> of the bus's configuration was read.</param>
    /// <exception cref="InvalidOperationException">It was added with another network.</exception>
    public static IServiceMeshBuilder AddInMemoryTransport(
        this IServiceMeshBuilder builder, InMemoryNetwork? network = null, Action<InMemoryTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (name, options) = (builder.Name, builder.Services.AddOptions<InMemoryTransportOptions>(builder.Name));
        var added = BusBuilder.FindTransport(builder, InMemoryTransportOptions.TransportName);
        if (added is null && builder.Configuration is { } section)
        {
            options.Configure(target =>
                SectionBinding.Explained(() => section.GetSection(InMemoryTransportOptions.TransportName).Bind(target)));
        }

        if (configure is not null)
        {
            options.Configure(configure);
        }

        var connection = InMemoryConnection.Of(builder, network);
        return added is not null
            ? builder
            : builder.AddTransport(new(InMemoryTransportOptions.TransportName, InMemoryTransportOptions.Schema.Keys, provider =>
                new InMemoryTransport(
                    connection.NetworkOf(provider, name),
                    provider.GetRequiredService<IOptionsMonitor<InMemoryTransportOptions>>().Get(name).PassByReference)));
    }

    /// <summary>
    /// Makes a transport available that the configuration may choose. For transport writers. Adding an equal registration again changes
    /// nothing.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is another one of this name already.</exception>
    public static IServiceMeshBuilder AddTransport(this IServiceMeshBuilder builder, TransportRegistration registration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(registration);
        return BusBuilder.FindTransport(builder, registration.Name) is not { } other ? builder.With(registration)
            : other == registration ? builder
            : throw new InvalidOperationException(
                $"The {registration.Name} transport was added twice to one bus, with different registrations. Add it once.");
    }

    /// <summary>
    /// Handles a topic with a class: <c>AddHandler&lt;FetchHandler&gt;(Weather.Fetch)</c>. It is registered as scoped unless
    /// it is registered already, and resolved from a scope of its own for each message. A constructor that takes
    /// <see cref="IServiceBus"/> gets this bus. A dependency that is not registered fails at start.
    /// </summary>
    /// <typeparam name="THandler">
    /// Implements <see cref="IRequestHandler{TIn,TOut}"/> or <see cref="ISignalHandler{T}"/> with the types of the contract.
    /// </typeparam>
    /// <param name="builder">The bus.</param>
    /// <param name="contract">What it handles.</param>
    /// <param name="configure">Group, limits, timeout, order.</param>
    /// <exception cref="ArgumentException">The class does not implement the contract's interface, or an option is out of range.</exception>
    public static IServiceMeshBuilder AddHandler<
        [DynamicallyAccessedMembers(
            DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.PublicMethods)] THandler>(
        this IServiceMeshBuilder builder, ITopicContract contract, Action<HandlerOptions>? configure = null)
        where THandler : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(contract);
        HandlerDefinition.EnsureHandles(contract, typeof(THandler));
        var key = HandlerClasses.Register<THandler>(builder.Services, builder.Name);
        return builder.With(HandlerDefinition.ForClass(contract, typeof(THandler), key), configure);
    }

    /// <summary>Answers requests with an asynchronous function.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static IServiceMeshBuilder AddHandler<TIn, TOut>(
        this IServiceMeshBuilder builder,
        RequestTopic<TIn, TOut> topic,
        Func<TIn, HandlerContext, Task<TOut>> handler,
        Action<HandlerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(handler);
        return builder.With(
            HandlerDefinition.ForRequest<TIn, TOut>(
                topic.Pattern, "delegate", (input, context) => new ValueTask<TOut>(handler(input, context))).CalledAs(handler.Method),
            configure);
    }

    /// <summary>Answers requests with a function that needs to wait for nothing.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static IServiceMeshBuilder AddHandler<TIn, TOut>(
        this IServiceMeshBuilder builder,
        RequestTopic<TIn, TOut> topic,
        Func<TIn, HandlerContext, TOut> handler,
        Action<HandlerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(handler);
        return builder.With(
            HandlerDefinition.ForRequest<TIn, TOut>(
                topic.Pattern, "delegate", (input, context) => new ValueTask<TOut>(handler(input, context))).CalledAs(handler.Method),
            configure);
    }

    /// <summary>Receives signals with an asynchronous function.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    [OverloadResolutionPriority(1)] // a lambda that only throws fits both
    public static IServiceMeshBuilder AddHandler<T>(
        this IServiceMeshBuilder builder,
        SignalPattern<T> pattern,
        Func<T, HandlerContext, Task> handler,
        Action<HandlerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        return builder.With(
            HandlerDefinition.ForSignal<T>(pattern.Pattern, "delegate", (signal, context) => new ValueTask(handler(signal, context)))
                .CalledAs(handler.Method),
            configure);
    }

    /// <summary>Receives signals with a function that needs to wait for nothing.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static IServiceMeshBuilder AddHandler<T>(
        this IServiceMeshBuilder builder,
        SignalPattern<T> pattern,
        Action<T, HandlerContext> handler,
        Action<HandlerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        return builder.With(
            HandlerDefinition.ForSignal<T>(pattern.Pattern, "delegate", (signal, context) =>
            {
                handler(signal, context);
                return ValueTask.CompletedTask;
            }).CalledAs(handler.Method),
            configure);
    }

    /// <summary>Adds a step around every handler of this bus, inside those added before. A singleton.</summary>
    public static IServiceMeshBuilder AddHandlerMiddleware<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(this IServiceMeshBuilder builder)
        where T : class, IHandlerMiddleware
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddKeyedSingleton<IHandlerMiddleware, T>(builder.Name);
        return builder;
    }

    /// <summary>Adds a step around everything this bus sends, inside those added before. A singleton.</summary>
    public static IServiceMeshBuilder AddSendMiddleware<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        this IServiceMeshBuilder builder)
        where T : class, ISendMiddleware
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddKeyedSingleton<ISendMiddleware, T>(builder.Name);
        return builder;
    }

    /// <summary>
    /// Publishes the log of this application as signals on <c>mesh.log.NODE</c> (<see cref="MeshTopics.Log"/>), beside its other logging
    /// providers, so that one subscriber of <see cref="MeshTopics.Logs"/> reads the logs of all services. Which categories and levels are
    /// published is configured as for every provider: <c>Logging:ServiceMesh:LogLevel:Default</c>; default: as for all.
    /// </summary>
    /// <remarks>
    /// Logging never waits for the mesh. Up to 1,024 entries wait to be published; more are lost, which the next entry
    /// (<see cref="LogEntry.Lost"/>) and the metric <c>servicemesh.dropped.messages</c> count. What publishing or reading a log causes is
    /// not published. A call after the first has no effect.
    /// </remarks>
    /// <example>
    /// <code source="samples/Snippets/Logs.cs" region="publish" />
    /// </example>
    public static IServiceMeshBuilder AddServiceMeshLogging(this IServiceMeshBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (services, name) = (builder.Services, builder.Name);
        if (!services.Any(d => d.ServiceType == typeof(MeshLog) && name.Equals(d.ServiceKey)))
        {
            services.AddKeyedSingleton(name, (provider, _) => new MeshLog(provider.GetService<TimeProvider>() ?? TimeProvider.System));
            services.AddSingleton<ILoggerProvider>(provider => provider.GetRequiredKeyedService<MeshLog>(name));
        }

        return builder;
    }

    /// <summary>Makes a serializer available: it reads bodies of its content type, and writes when the configuration names it.</summary>
    public static IServiceMeshBuilder AddSerializer(this IServiceMeshBuilder builder, IMessageSerializer serializer)
    {
        ArgumentNullException.ThrowIfNull(serializer);
        return builder.With(serializer);
    }

    /// <summary>
    /// Adds a source-generated context for bodies that are JSON; asked before reflection, in the order of adding. It concerns
    /// JSON only: another serializer, such as MessagePack, has contracts of its own.
    /// </summary>
    public static IServiceMeshBuilder AddJsonContext(this IServiceMeshBuilder builder, JsonSerializerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return builder.ConfigureJson(json => json.TypeInfoResolverChain.Add(context));
    }

    /// <summary>
    /// Changes how bodies that are JSON are written and read: naming, converters, what is ignored. It concerns JSON only: another
    /// serializer, such as MessagePack, has contracts of its own. The bus's own topics (<see cref="MeshTopics"/>) are not changed.
    /// </summary>
    public static IServiceMeshBuilder ConfigureJson(this IServiceMeshBuilder builder, Action<JsonSerializerOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.Configure<JsonBodyOptions>(builder.Name, options => configure(options.Json));
        return builder;
    }

    /// <summary>
    /// States what the application needs of its transport beyond what its handlers show, so that a transport without it
    /// fails at start: <c>Require(TransportFeatures.DurableSignals)</c>.
    /// </summary>
    public static IServiceMeshBuilder Require(this IServiceMeshBuilder builder, TransportFeatures features) =>
        builder.With(new RequiredFeatures(features));

    /// <summary>Changes options in code, after the configuration was read. They are checked together.</summary>
    public static IServiceMeshBuilder Configure(this IServiceMeshBuilder builder, Action<ServiceMeshOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.Configure(builder.Name, configure);
        return builder;
    }

    private static IServiceMeshBuilder With(
        this IServiceMeshBuilder builder, HandlerDefinition definition, Action<HandlerOptions>? configure)
    {
        var options = new HandlerOptions();
        configure?.Invoke(options);
        return builder.With(definition.With(HandlerOptionsValidator.Checked(options, definition)));
    }

    private static IServiceMeshBuilder With<T>(this IServiceMeshBuilder builder, T instance)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddKeyedSingleton(builder.Name, instance);
        return builder;
    }
}
