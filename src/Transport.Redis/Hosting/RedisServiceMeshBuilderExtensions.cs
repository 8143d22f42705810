using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using ServiceMesh.Redis;
using ServiceMesh;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the Redis transport.</summary>
public static class RedisServiceMeshBuilderExtensions
{
    /// <summary>
    /// Makes the Redis transport available under the name <c>Redis</c>. It reads the section <c>Redis</c> of the bus's
    /// configuration, and adds a <see cref="RedisGaps"/> to the container (with the bus's key where there are several). Called again, it
    /// changes more options of the same transport.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="configure">Changes options in code, after the configuration was read.</param>
    public static IServiceMeshBuilder AddRedisTransport(this IServiceMeshBuilder builder, Action<RedisTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (services, name) = (builder.Services, builder.Name);
        var options = services.AddOptions<RedisTransportOptions>(name).ValidateOnStart();
        var isAdded = BusBuilder.FindTransport(builder, RedisTransportOptions.TransportName) is not null;
        if (!isAdded && builder.Configuration is { } section)
        {
            var redis = section.GetSection(RedisTransportOptions.TransportName);
            options.Configure(target => SectionBinding.Explained(() => redis.Bind(target), typeof(RedisWire)));
        }

        if (configure is not null)
        {
            options.Configure(configure);
        }

        if (isAdded)
        {
            return builder;
        }

        options.PostConfigure<IServiceProvider>(static (target, provider) =>
        {
            if (target.ConnectionName is { Length: > 0 } name
                && provider.GetService<IConfiguration>()?.GetConnectionString(name) is { Length: > 0 } named)
            {
                target.Configuration = named;
            }
        });
        services.AddSingleton<IValidateOptions<RedisTransportOptions>>(provider =>
            new RedisOptionsValidator(name, builder.Configuration, provider));
        services.TryAddKeyedSingleton<RedisGaps>(name);
        if (name.Length == 0)
        {
            services.TryAddSingleton(provider => provider.GetRequiredKeyedService<RedisGaps>(name));
        }

        var (transport, keys) = (RedisTransportOptions.TransportName, RedisTransportOptions.Schema.Keys);
        return builder.AddTransport(new(transport, keys, provider => new RedisTransport(
            provider.GetRequiredService<IOptionsMonitor<RedisTransportOptions>>().Get(name),
            provider.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get(name).Errors.QueueCapacity,
            provider.GetRequiredKeyedService<RedisGaps>(name),
            provider.GetRequiredService<IMeterFactory>())));
    }

    /// <summary>
    /// Makes the Redis transport available on a connection that the application makes and closes itself:
    /// <c>Redis:Configuration</c> is not used.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="connection">Connected when the bus starts; closed after the bus has stopped, or never.</param>
    /// <exception cref="InvalidOperationException">An earlier call gave another connection.</exception>
    public static IServiceMeshBuilder AddRedisTransport(this IServiceMeshBuilder builder, IConnectionMultiplexer connection)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connection);
        GiveOnce(builder, connection);
        return builder.AddRedisTransport(options => options.Connect = _ => Task.FromResult(connection));
    }

    /// <summary>
    /// Makes the Redis transport available on a connection that a factory makes when the bus starts:
    /// <c>Redis:Configuration</c> is not used.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="connect">Called at start with the container; the bus does not close what it returns.</param>
    /// <exception cref="InvalidOperationException">An earlier call gave another connection.</exception>
    public static IServiceMeshBuilder AddRedisTransport(
        this IServiceMeshBuilder builder, Func<IServiceProvider, CancellationToken, Task<IConnectionMultiplexer>> connect)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connect);
        GiveOnce(builder, connect);
        builder.Services.AddOptions<RedisTransportOptions>(builder.Name)
            .Configure<IServiceProvider>((options, provider) =>
                options.Connect = cancellationToken => connect(provider, cancellationToken));
        return builder.AddRedisTransport();
    }

    /// <summary>
    /// Makes the Redis transport available on the <see cref="IConnectionMultiplexer"/> of the container, or on the keyed one: the
    /// connection that caching, data protection or Aspire use already. <c>Redis:Configuration</c> is not used.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="serviceKey">The key of the service; null for the one without a key.</param>
    /// <exception cref="InvalidOperationException">An earlier call gave another connection.</exception>
    public static IServiceMeshBuilder AddRedisTransportFromServices(this IServiceMeshBuilder builder, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        GiveOnce(builder, (typeof(IConnectionMultiplexer), serviceKey));
        builder.Services.AddOptions<RedisTransportOptions>(builder.Name).Configure<IServiceProvider>((options, provider) =>
            options.Connect = new Resolution(() => Resolve(provider, serviceKey)).RunAsync);
        return builder.AddRedisTransport();
    }

    private static IConnectionMultiplexer Resolve(IServiceProvider provider, object? key) =>
        (key is null ? provider.GetService<IConnectionMultiplexer>() : provider.GetKeyedService<IConnectionMultiplexer>(key))
        ?? throw new InvalidOperationException(
            $"the container has no IConnectionMultiplexer{(key is null ? "" : $" with the key '{key}'")}. "
            + "Register one, or call AddRedisTransport in place of AddRedisTransportFromServices.");

    private static void GiveOnce(IServiceMeshBuilder builder, object source)
    {
        var given = builder.Services
            .Where(d => d.IsKeyedService && d.ServiceType == typeof(GivenConnection) && builder.Name.Equals(d.ServiceKey))
            .Select(d => (GivenConnection)d.KeyedImplementationInstance!)
            .FirstOrDefault();
        if (given is not null && !given.Source.Equals(source))
        {
            throw new InvalidOperationException(
                "The Redis transport of one bus was given two connections. Give all calls the same one, or leave it out.");
        }

        builder.Services.AddKeyedSingleton(builder.Name, new GivenConnection(source));
    }

    /// <summary>
    /// Resolves on a thread of its own: factories of the container connect while their caller waits. One that has not ended keeps its
    /// thread, so those that ask meanwhile wait for the same one. Thread-safe.
    /// </summary>
    private sealed class Resolution(Func<IConnectionMultiplexer> resolve)
    {
        private readonly Lock _lock = new();
        private Task<IConnectionMultiplexer>? _running;

        public Task<IConnectionMultiplexer> RunAsync(CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                if (_running is not { IsCompleted: false })
                {
                    _running = Task.Run(resolve, CancellationToken.None);
                }

                return _running.WaitAsync(cancellationToken);
            }
        }
    }

    /// <summary>The connection that the application hands in, or the function that makes it.</summary>
    private sealed record GivenConnection(object Source);
}
