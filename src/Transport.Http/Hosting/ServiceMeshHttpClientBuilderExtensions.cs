using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ServiceMesh;
using ServiceMesh.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the client of the mesh to ordinary HttpClients.</summary>
public static class ServiceMeshHttpClientBuilderExtensions
{
    /// <summary>
    /// Sends requests to <c>http://weather/path</c> to the service <c>weather</c> of <c>ServiceMesh:Http:Services</c>, balanced over its
    /// servers, with timeouts, retries and circuit breakers. Requests to other hosts, and to URIs with a port, are not changed. Code that
    /// uses the client does not change.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The services are those of the bus <paramref name="busName"/>, whatever its transport is. Without a bus they are those of
    /// <c>ServiceMesh:Http</c> in the configuration of the application. All clients of one bus name share endpoints, breakers, connections
    /// and the retry budgets.
    /// </para>
    /// <para>
    /// Other handlers of the client see each request once, wherever they are added, because the mesh is the last handler before the
    /// network. The primary handler is used for hosts that are not services.
    /// </para>
    /// </remarks>
    /// <param name="builder">The client, or the builder of <c>ConfigureHttpClientDefaults</c> for all clients.</param>
    /// <param name="busName">The bus whose services are used, if there are several. Default: the default bus.</param>
    /// <param name="configure">Changes the options after the configuration was read, for all clients of that bus. Default: none.</param>
    /// <example>
    /// <code source="samples/Snippets/HttpClients.cs" region="add" />
    /// </example>
    public static IHttpClientBuilder AddServiceMesh(
        this IHttpClientBuilder builder, string busName = "", Action<HttpTransportOptions>? configure = null)
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

        // After all other handlers, so that it is the last before the network, wherever in the chain this method was called.
        services.PostConfigure<HttpClientFactoryOptions>(builder.Name, options => options.HttpMessageHandlerBuilderActions.Add(chain =>
        {
            if (!chain.AdditionalHandlers.Any(h => h is ServiceMeshHandler))
            {
                var mesh = chain.Services.GetRequiredKeyedService<ClientServices>(busName);
                chain.AdditionalHandlers.Add(new ServiceMeshHandler(mesh, isOwner: false));
            }
        }));
        return builder;
    }

    private static void AddServices(IServiceCollection services, string busName)
    {
        services.AddLogging();
        services.AddMetrics();
        HttpSection.AddOptions(services, busName);
        services.AddKeyedSingleton(busName, new SectionKeys(HttpTransportOptions.TransportName, HttpTransportOptions.Schema.Keys));
        services.AddKeyedSingleton(busName, (provider, _) => new ClientServices(
            provider.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>().Get(busName),
            provider.GetService<ILookupClient>(),
            provider.GetRequiredService<IMeterFactory>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetRequiredKeyedService<ServiceEndpoints>(busName),
            busName));
        HttpServiceMeshBuilderExtensions.AddServiceEndpoints(services, busName);
    }
}
