using Microsoft.AspNetCore.Http;

namespace ServiceMesh.Http;

/// <summary>A failed reply as the answer of an endpoint: problem details.</summary>
internal sealed class FailureResult(ReplyFailure failure) : IResult, IStatusCodeHttpResult
{
    public int? StatusCode => MeshProblem.StatusOf(failure);

    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        return MeshProblem.WriteAsync(httpContext, failure, null);
    }
}
