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
    /// configuration, and adds a <see cref="RedisGaps"/> to the container (with the bus's key where there are several).
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="configure">Changes options in code, after the configuration was read.</param>
    public static IServiceMeshBuilder AddRedisTransport(this IServiceMeshBuilder builder, Action<RedisTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var (services, name) = (builder.Services, builder.Name);
        var options = services.AddOptions<RedisTransportOptions>(name).ValidateOnStart();
        if (builder.Configuration is { } section)
        {
            var redis = section.GetSection(RedisTransportOptions.TransportName);
            options.Configure(target => SectionBinding.Explained(() => redis.Bind(target), typeof(RedisWire)));
        }

        if (configure is not null)
        {
            options.Configure(configure);
        }

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
    public static IServiceMeshBuilder AddRedisTransport(this IServiceMeshBuilder builder, IConnectionMultiplexer connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        return builder.AddRedisTransport(options => options.Connect = _ => Task.FromResult(connection));
    }

    /// <summary>
    /// Makes the Redis transport available on a connection that a factory makes when the bus starts:
    /// <c>Redis:Configuration</c> is not used.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="connect">Called at start with the container; the bus does not close what it returns.</param>
    public static IServiceMeshBuilder AddRedisTransport(
        this IServiceMeshBuilder builder, Func<IServiceProvider, CancellationToken, Task<IConnectionMultiplexer>> connect)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(connect);
        builder.Services.AddOptions<RedisTransportOptions>(builder.Name)
            .Configure<IServiceProvider>((options, provider) =>
                options.Connect = cancellationToken => connect(provider, cancellationToken));
        return builder.AddRedisTransport();
    }
}
