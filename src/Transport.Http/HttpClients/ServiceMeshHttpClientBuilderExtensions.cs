using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ServiceMesh;
using ServiceMesh.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives ordinary HttpClients the mesh's client.</summary>
public static class ServiceMeshHttpClientBuilderExtensions
{
    /// <summary>
    /// Makes <c>http://weather/path</c> a request to the service <c>weather</c> of <c>ServiceMesh:Http:Services</c>: balanced
    /// over its servers, timed, retried and broken. Hosts that are no configured service, and URIs with a port, are left
    /// alone. Code that uses the client stays as it is.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The services are those of the bus named <paramref name="busName"/>, whatever transport it runs, and with no bus those of
    /// <c>ServiceMesh:Http</c> in the application's configuration. All clients of one name share endpoints, breakers,
    /// connections and the budget of retries.
    /// </para>
    /// <para>
    /// Other handlers of the client, wherever they are added, see each request once; the mesh stands between them and the
    /// network. A primary handler is used for hosts that are no services.
    /// </para>
    /// </remarks>
    /// <param name="builder">The client, or <c>ConfigureHttpClientDefaults</c>'s for all clients.</param>
    /// <param name="busName">The bus whose services are used, where there are several.</param>
    /// <param name="configure">Changes the options in code, after the configuration was read; for all clients of that bus.</param>
    /// <example>
    /// <code source="samples/Snippets/HttpClients.cs" region="add" />
    /// </example>
    public static IHttpClientBuilder AddServiceMesh(this IHttpClientBuilder builder, string busName = "", Action<HttpTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(busName);
        var services = builder.Services;
        if (!services.Any(d => d.ServiceType == typeof(ClientServices) && busName.Equals(d.ServiceKey)))
        {
            AddServices(services, busName);
        }

        if (configure is not null)
        {
            services.Configure(busName, configure);
        }

        // After all others, and so the last before the network, wherever in the client's chain this was called.
        services.PostConfigure<HttpClientFactoryOptions>(builder.Name, options => options.HttpMessageHandlerBuilderActions.Add(chain =>
        {
            if (!chain.AdditionalHandlers.Any(h => h is ServiceMeshHandler))
            {
                chain.AdditionalHandlers.Add(new ServiceMeshHandler(chain.Services.GetRequiredKeyedService<ClientServices>(busName), isOwner: false));
            }
        }));
        return builder;
    }

    private static void AddServices(IServiceCollection services, string busName)
    {
        services.AddLogging();
        services.AddMetrics();
        services.AddOptions<HttpTransportOptions>(busName)
            .Configure<IServiceProvider>((options, provider) => HttpClientOptionsCheck.Read(options, provider, busName))
            .ValidateOnStart();
        services.AddSingleton<IValidateOptions<HttpTransportOptions>>(provider => new HttpClientOptionsCheck(busName, provider));
        services.AddKeyedSingleton(busName, new SectionKeys("Http", HttpServiceMeshBuilderExtensions.Keys));
        services.AddKeyedSingleton(busName, (provider, _) => new ClientServices(
            provider.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>().Get(busName),
            new(provider.GetServices<ResolverKind>()),
            new(provider.GetServices<BalancerKind>()),
            provider.GetService<ILookupClient>(),
            provider.GetRequiredService<IMeterFactory>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetRequiredKeyedService<ServiceEndpoints>(busName),
            busName));
        HttpServiceMeshBuilderExtensions.AddServiceEndpoints(services, busName);
    }
}
