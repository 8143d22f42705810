using Microsoft.Extensions.Diagnostics.HealthChecks;
using ServiceMesh;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds a bus to the application's health checks.</summary>
public static class ServiceMeshHealthChecksBuilderExtensions
{
    /// <summary>Reports whether a bus can do its work, with the reasons when it cannot.</summary>
    /// <param name="builder">From <c>services.AddHealthChecks()</c>.</param>
    /// <param name="name">The check's name. Default: <c>servicemesh</c>.</param>
    /// <param name="busName">The key of the bus; empty for the one without a key.</param>
    /// <param name="tags">For filtering checks.</param>
    public static IHealthChecksBuilder AddServiceMesh(
        this IHealthChecksBuilder builder, string name = "servicemesh", string busName = "", IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name,
            provider => new ServiceMeshHealthCheck(
                provider.GetRequiredKeyedService<IServiceBus>(busName), provider.GetRequiredKeyedService<NodeLifetime>(busName)),
            null,
            tags));
    }
}
