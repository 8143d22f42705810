using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ServiceMesh;
using ServiceMesh.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the HTTP transport.</summary>
public static class HttpServiceMeshBuilderExtensions
{
    /// <summary>
    /// Makes the HTTP transport available under the name <c>Http</c>. It reads the section <c>Http</c> of the configuration of the bus.
    /// Called again, it changes more options of the same transport.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="configure">Changes the options after the configuration was read. Default: none.</param>
    /// <example>
    /// <code source="samples/Snippets/Http.cs" region="add" />
    /// </example>
    public static IServiceMeshBuilder AddHttpTransport(this IServiceMeshBuilder builder, Action<HttpTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = HttpSection.AddOptions(builder.Services, builder.Name);
        if (configure is not null)
        {
            options.Configure(configure);
        }

        if (BusBuilder.FindTransport(builder, HttpTransportOptions.TransportName) is not null)
        {
            return builder;
        }

        builder.Services.AddKeyedSingleton<MeshEndpoints>(builder.Name);
        AddServiceEndpoints(builder.Services, builder.Name);

        // The host stops services in reverse order: the first stops when the bus has drained.
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService>(provider =>
            new ShutdownCoordinator(provider.GetRequiredKeyedService<MeshEndpoints>(builder.Name))));
        var (transport, keys) = (HttpTransportOptions.TransportName, HttpTransportOptions.Schema.Keys);
        return builder.AddTransport(new(transport, keys, provider => new HttpTransport(new(
            provider.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>().Get(builder.Name),
            provider.GetRequiredKeyedService<MeshEndpoints>(builder.Name),
            provider.GetService<ILookupClient>(),
            provider.GetRequiredService<IMeterFactory>(),
            provider.GetRequiredKeyedService<ServiceEndpoints>(builder.Name),
            provider,
            builder.Name,
            HttpSection.ChangesOf(provider, builder.Name)))));
    }

    /// <summary>
    /// Adds a balancer to this bus and to HttpClients that use its services: <c>Http:Services:NAME:Balancer</c> may name it.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="name">The name in the configuration; case does not matter. It replaces a built-in balancer of the same name.</param>
    /// <param name="factory">Creates the balancer of one set of endpoints with one priority.</param>
    /// <example>
    /// <code source="samples/Snippets/Discovery.cs" region="register" />
    /// </example>
    public static IServiceMeshBuilder AddBalancer(this IServiceMeshBuilder builder, string name, Func<BalancerContext, IBalancer> factory)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(factory);
        builder.Services.Configure<HttpTransportOptions>(builder.Name, options => options.AddBalancer(name, factory));
        return builder;
    }

    /// <summary>
    /// Adds a scheme of addresses to this bus and to HttpClients that use its services: <c>Http:Services:NAME:Address</c> may use it.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="scheme">The scheme, in lower case: <c>etcd</c>. It replaces a built-in scheme of the same name.</param>
    /// <param name="factory">
    /// Creates the resolver of one group. It must not wait. It throws a <see cref="FormatException"/> for a target that it cannot use,
    /// which ends the start with its message.
    /// </param>
    public static IServiceMeshBuilder AddResolver(
        this IServiceMeshBuilder builder, string scheme, Func<AddressGroup, ResolverContext, IResolver> factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        return builder.AddResolver(scheme, (_, group, context) => factory(group, context));
    }

    /// <summary>Adds a scheme of addresses whose resolvers need services of the application.</summary>
    /// <param name="builder">The bus.</param>
    /// <param name="scheme">The scheme, in lower case: <c>etcd</c>. It replaces a built-in scheme of the same name.</param>
    /// <param name="factory">The same as for the other overload, with the services of the application.</param>
    /// <example>
    /// <code source="samples/Snippets/Discovery.cs" region="register" />
    /// </example>
    public static IServiceMeshBuilder AddResolver(
        this IServiceMeshBuilder builder, string scheme, Func<IServiceProvider, AddressGroup, ResolverContext, IResolver> factory)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(factory);
        builder.Services.AddOptions<HttpTransportOptions>(builder.Name).Configure<IServiceProvider>((options, provider) =>
            options.AddResolver(scheme, (group, context) => factory(provider, group, context)));
        return builder;
    }

    internal static void AddServiceEndpoints(IServiceCollection services, string busName)
    {
        services.TryAddKeyedSingleton(busName, (_, _) => new ServiceEndpoints());
        if (busName.Length == 0)
        {
            services.TryAddSingleton(provider => provider.GetRequiredKeyedService<ServiceEndpoints>(busName));
        }
    }
}
