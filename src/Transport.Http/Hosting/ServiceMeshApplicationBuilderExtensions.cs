using Microsoft.AspNetCore.Http;
using ServiceMesh;
using ServiceMesh.Http;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Failures of the bus in the pipeline of a web application.</summary>
public static class ServiceMeshApplicationBuilderExtensions
{
    /// <summary>
    /// Answers a request of the web application whose code lets a <see cref="ServiceMeshException"/> through with problem details (RFC
    /// 9457): the same as <see cref="ReplyHttpExtensions.ToHttpResult"/> for the failure. Other exceptions pass. Add it behind
    /// <c>UseExceptionHandler</c>, and before the endpoints.
    /// </summary>
    /// <param name="application">The application.</param>
    /// <example>
    /// <code source="samples/Snippets/Web.cs" region="problems" />
    /// </example>
    public static IApplicationBuilder UseServiceMeshProblemDetails(this IApplicationBuilder application)
    {
        ArgumentNullException.ThrowIfNull(application);
        return application.Use(next => http => InvokeAsync(http, next));
    }

    private static async Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        try
        {
            await next(http).ConfigureAwait(false);
        }
        catch (ServiceMeshException thrown) when (!http.Response.HasStarted)
        {
            http.Response.Clear();
            await MeshProblem.WriteAsync(http, thrown.Failure, thrown).ConfigureAwait(false);
        }
    }
}
