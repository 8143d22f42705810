using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ServiceMesh.Http;

/// <summary>A successful reply as the answer of an endpoint: JSON as the web application writes it.</summary>
internal sealed class ValueResult<T>(Reply<T> reply) : IResult, IStatusCodeHttpResult
{
    private readonly bool _hasBody = reply.Value is not null and not Unit;

    public int? StatusCode => (int)reply.Status switch
    {
        200 or 204 or 205 => _hasBody ? 200 : 204,
        < 200 => 200,
        var other => other,
    };

    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        if (!_hasBody)
        {
            httpContext.Response.StatusCode = StatusCode!.Value;
            return Task.CompletedTask;
        }

        var json = httpContext.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        return TypedResults.Json(reply.Value, (JsonTypeInfo<T>)json.GetTypeInfo(typeof(T)), null, StatusCode).ExecuteAsync(httpContext);
    }
}
