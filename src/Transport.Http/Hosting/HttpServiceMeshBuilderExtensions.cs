using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using ServiceMesh;
using ServiceMesh.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the HTTP transport.</summary>
public static class HttpServiceMeshBuilderExtensions
{
    internal static readonly IReadOnlyList<string> Keys =
    [
        "Listen", "Token", "AllowUnprotected",
        "Tls:Certificate", "Tls:CertificateKey", "Tls:CertificatePassword", "Tls:TrustedRoots",
        "Services:*:Address", "Services:*:Balancer", "Services:*:HashHeader", "Services:*:Tls", "Services:*:Http2", "Services:*:Foreign", "Services:*:Topics:*", "Services:*:HealthPath",
        "Services:*:Retry:Attempts", "Services:*:Retry:Backoff", "Services:*:Retry:LongestBackoff", "Services:*:Retry:HedgeAfter",
        "Dns:Servers",
        "Health:Interval", "Health:Timeout",
        "Timeouts:Connect", "Timeouts:Tls", "Timeouts:ResponseHeaders", "Timeouts:Attempt", "Timeouts:Total", "Timeouts:Idle",
        "Retry:Attempts", "Retry:Backoff", "Retry:LongestBackoff", "Retry:HedgeAfter",
        "RetryBudget:Ratio", "RetryBudget:PerSecond", "RetryBudget:Window",
        "CircuitBreaker:FailureRateThreshold", "CircuitBreaker:MinimumRequestThreshold", "CircuitBreaker:TrialRequestInterval",
        "CircuitBreaker:CircuitOpenWindow", "CircuitBreaker:LongestCircuitOpenWindow", "CircuitBreaker:CounterSlidingWindow", "CircuitBreaker:CounterUpdateInterval",
        "Ejection:ConsecutiveFailures", "Ejection:FailureRateMargin", "Ejection:MinimumRequests", "Ejection:Window", "Ejection:EjectionTime",
        "Ejection:LongestEjectionTime", "Ejection:MostEjected", "Ejection:PanicThreshold",
        "Limits:Concurrency", "Limits:ConcurrencyPerEndpoint",
        "HttpClients:ReadAhead",
    ];

    /// <summary>
    /// Makes the HTTP transport available under the name <c>Http</c>. It reads the section <c>Http</c> of the bus's
    /// configuration.
    /// </summary>
    /// <param name="builder">The bus.</param>
    /// <param name="configure">Changes options in code, after the configuration was read.</param>
    /// <example>
    /// <code source="samples/Snippets/Http.cs" region="add" />
    /// </example>
    public static IServiceMeshBuilder AddHttpTransport(this IServiceMeshBuilder builder, Action<HttpTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = builder.Services.AddOptions<HttpTransportOptions>(builder.Name);
        if (builder.Configuration is { } section)
        {
            options.Configure(target => section.GetSection("Http").Bind(target));
        }

        if (configure is not null)
        {
            options.Configure(configure);
        }

        builder.Services.AddKeyedSingleton<MeshEndpoints>(builder.Name);
        AddServiceEndpoints(builder.Services, builder.Name);

        // Services are told in reverse order that the host stops: the first hears of it when the bus has drained.
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService>(provider =>
            new Farewell(provider.GetRequiredKeyedService<MeshEndpoints>(builder.Name))));
        return builder.AddTransport(new("Http", Keys, provider => new HttpTransport(new(
            provider.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>().Get(builder.Name),
            provider.GetRequiredKeyedService<MeshEndpoints>(builder.Name),
            new(provider.GetServices<ResolverKind>()),
            new(provider.GetServices<BalancerKind>()),
            provider.GetService<ILookupClient>(),
            provider.GetRequiredService<IMeterFactory>(),
            provider.GetRequiredKeyedService<ServiceEndpoints>(builder.Name),
            provider.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get(builder.Name).Request,
            builder.Name))));
    }

    internal static void AddServiceEndpoints(IServiceCollection services, string busName)
    {
        services.TryAddKeyedSingleton(busName, (_, _) => new ServiceEndpoints());
        if (busName.Length == 0)
        {
            services.TryAddSingleton(provider => provider.GetRequiredKeyedService<ServiceEndpoints>(busName));
        }
    }

    /// <summary>
    /// Serves the mesh's endpoints in the application's own web server, below <c>/mesh/v1</c>, so that the node needs no
    /// port of its own. What is returned takes conventions: <c>app.MapServiceMesh().RequireAuthorization()</c>.
    /// </summary>
    /// <param name="application">The application, or a group of its routes.</param>
    /// <param name="busName">The bus, where there are several.</param>
    /// <exception cref="InvalidOperationException">The HTTP transport was not added to that bus.</exception>
    /// <example>
    /// <code source="samples/Snippets/Http.cs" region="map" />
    /// </example>
    public static IEndpointConventionBuilder MapServiceMesh(this IEndpointRouteBuilder application, string busName = "")
    {
        ArgumentNullException.ThrowIfNull(application);
        var endpoints = application.ServiceProvider.GetKeyedService<MeshEndpoints>(busName)
            ?? throw new InvalidOperationException("MapServiceMesh needs the HTTP transport: call AddServiceMesh(…).AddHttpTransport() first.");
        return endpoints.MapIn(application);
    }
}
