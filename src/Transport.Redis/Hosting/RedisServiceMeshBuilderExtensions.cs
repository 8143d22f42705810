using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using ServiceMesh;
using ServiceMesh.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the Redis transport.</summary>
public static class RedisServiceMeshBuilderExtensions
{
    private static readonly string[] s_keys = ["Configuration", "Wire", "KeyPrefix", "ConnectTimeout"];

    /// <summary>
    /// Makes the Redis transport available under the name <c>Redis</c>. It reads the section <c>Redis</c> of the bus's
    /// configuration.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="configure">Changes options in code, after the configuration was read.</param>
    public static IServiceMeshBuilder AddRedisTransport(this IServiceMeshBuilder builder, Action<RedisTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = builder.Services.AddOptions<RedisTransportOptions>(builder.Name);
        if (builder.Configuration is { } section)
        {
            options.Configure(target => section.GetSection("Redis").Bind(target));
        }

        if (configure is not null)
        {
            options.Configure(configure);
        }

        return builder.AddTransport(new("Redis", s_keys, provider => new RedisTransport(
            provider.GetRequiredService<IOptionsMonitor<RedisTransportOptions>>().Get(builder.Name),
            provider.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get(builder.Name).Errors.QueueCapacity)));
    }
}
