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
    /// Other handlers of the client see each request once, wherever they are added, because the mesh takes the place of the primary
    /// handler. The primary handler that was configured is used for hosts that are not services.
    /// </para>
    /// <para>
    /// A call for one client wins over one for all clients, in either order.
    /// </para>
    /// </remarks>
    /// <param name="builder">The client, or the builder of <c>ConfigureHttpClientDefaults</c> for all clients.</param>
    /// <param name="busName">The bus whose services are used, if there are several. Default: the default bus.</param>
    /// <param name="configure">Changes the options after the configuration was read, for all clients of that bus. Default: none.</param>
    /// <exception cref="InvalidOperationException">The same client has the services of another bus already.</exception>
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

        if (AddChoice(services, builder.Name, busName))
        {
            // After all other settings, so that the primary handler is the one of the application, wherever in the chain this method was
            // called.
            services.PostConfigure<HttpClientFactoryOptions>(
                builder.Name, options => options.HttpMessageHandlerBuilderActions.Add(AddHandler));
        }

        return builder;
    }

    /// <summary>
    /// Sets judgements and times of one client: which answers are sent again, which count as failures of their server, and how long a
    /// request and an attempt may take. Called again, it changes more of them. For all clients, call it once in
    /// <c>ConfigureHttpClientDefaults</c>; what one client sets comes after that, in either order.
    /// </summary>
    /// <param name="builder">The client, or the builder of <c>ConfigureHttpClientDefaults</c> for all clients.</param>
    /// <param name="configure">Changes the options.</param>
    /// <example>
    /// <code source="samples/Snippets/HttpClients.cs" region="client" />
    /// </example>
    public static IHttpClientBuilder ConfigureServiceMesh(this IHttpClientBuilder builder, Action<ServiceMeshClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        if (builder.Name is { } name)
        {
            builder.Services.Configure(name, configure);
        }
        else
        {
            // Before those of single clients, in whatever order they are added.
            builder.Services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<ServiceMeshClientOptions>>(
                new ConfigureNamedOptions<ServiceMeshClientOptions>(null, configure)));
        }

        return builder;
    }

    // In place of the primary handler: builder filters, and so the loggers of the platform, add handlers after all others.
    private static void AddHandler(HttpMessageHandlerBuilder chain)
    {
        if (chain.PrimaryHandler is not ServiceMeshHandler)
        {
            var choices = chain.Services.GetServices<BusOfClient>().ToList();
            var choice = choices.Find(c => c.ClientName == chain.Name) ?? choices.Find(c => c.ClientName is null)!;
            var mesh = chain.Services.GetRequiredKeyedService<ClientServices>(choice.BusName);
            chain.PrimaryHandler = new ServiceMeshHandler(mesh, isOwner: false)
            {
                InnerHandler = chain.PrimaryHandler,
                Client = chain.Services.GetRequiredService<IOptionsMonitor<ServiceMeshClientOptions>>().Get(chain.Name),
            };
        }
    }

    // Whether the choice is new.
    private static bool AddChoice(IServiceCollection services, string? clientName, string busName)
    {
        var known = services.Select(d => d.IsKeyedService ? null : d.ImplementationInstance as BusOfClient)
            .FirstOrDefault(c => c is not null && c.ClientName == clientName);
        if (known is null)
        {
            services.AddSingleton(new BusOfClient(clientName, busName));
            return true;
        }

        return known.BusName == busName ? false : throw new InvalidOperationException(
            $"{(clientName is null ? "All HttpClients have" : $"The HttpClient '{clientName}' has")} the services of " +
            $"{Describe(known.BusName)} and cannot have those of {Describe(busName)} too. Call AddServiceMesh once, or use two clients.");

        static string Describe(string busName) => busName.Length == 0 ? "the default bus" : $"the bus '{busName}'";
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
            busName,
            HttpSection.ChangesOf(provider, busName)));
        HttpServiceMeshBuilderExtensions.AddServiceEndpoints(services, busName);
    }

    // Which bus a client uses the services of. The name of the client is null for all clients.
    private sealed record BusOfClient(string? ClientName, string BusName);
}
