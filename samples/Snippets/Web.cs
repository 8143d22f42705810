using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using ServiceMesh;

namespace Snippets;

public static class Web
{
    public static void MapCities(this IEndpointRouteBuilder routes) => routes
    #region result
        .MapGet("/cities/{city}", async (string city, IServiceBus bus, CancellationToken cancellationToken) =>
        {
            Reply<Reading[]> reply = await bus.TryRequestAsync(Weather.Fetch, city, cancellationToken);
            return reply.ToHttpResult();
        });
    #endregion

    #region problems
    public static void UseProblems(WebApplication app)
    {
        app.UseExceptionHandler();              // other exceptions
        app.UseServiceMeshProblemDetails();
        app.MapGet("/coldest", async (IServiceBus bus, CancellationToken cancellationToken) =>
            await bus.ExecuteAsync(Weather.Fetch | Weather.Min, "pune", cancellationToken));
    }
    #endregion
}
