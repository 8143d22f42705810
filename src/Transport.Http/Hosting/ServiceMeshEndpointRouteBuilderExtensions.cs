using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Http;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Serves the HTTP transport in the web server of an application.</summary>
public static class ServiceMeshEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Serves the endpoints of the mesh in the web server of the application, below <c>/mesh/v1</c>, so that the node needs no port of its
    /// own. The result takes conventions: <c>app.MapServiceMesh().RequireAuthorization()</c>.
    /// </summary>
    /// <param name="application">The application, or a group of its routes.</param>
    /// <param name="busName">The bus, if there are several. Default: the default bus.</param>
    /// <exception cref="InvalidOperationException">The HTTP transport was not added to that bus.</exception>
    /// <example>
    /// <code source="samples/Snippets/Http.cs" region="map" />
    /// </example>
    public static IEndpointConventionBuilder MapServiceMesh(this IEndpointRouteBuilder application, string busName = "")
    {
        ArgumentNullException.ThrowIfNull(application);
        var endpoints = application.ServiceProvider.GetKeyedService<MeshEndpoints>(busName)
            ?? throw new InvalidOperationException(
                "MapServiceMesh needs the HTTP transport. Call AddServiceMesh(…).AddHttpTransport() first.");
        return endpoints.MapIn(application);
    }
}
