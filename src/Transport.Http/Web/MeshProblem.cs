using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Problem = Microsoft.AspNetCore.Mvc.ProblemDetails;

namespace ServiceMesh.Http;

/// <summary>A failure of the bus as a web application tells it to its own callers, which are not part of the mesh.</summary>
internal static class MeshProblem
{
    private const int GatewayTimeout = 504;

    // How long a caller waits when the refusal does not say: a handler is free again soon.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    /// <summary>The status of HTTP. A redirection without a target and a number that HTTP does not have are 500.</summary>
    public static int StatusOf(ReplyFailure failure) => failure.Status switch
    {
        StatusCode.HandlerTimeout => GatewayTimeout,
        _ => (int)failure.Status is >= 400 and <= 599 ? (int)failure.Status : 500,
    };

    /// <summary>
    /// Writes status, headers and body; the application's own <see cref="IProblemDetailsService"/> writes the body if it has one.
    /// </summary>
    public static async Task WriteAsync(HttpContext http, ReplyFailure failure, Exception? exception)
    {
        var status = StatusOf(failure);
        http.Response.StatusCode = status;
        http.Response.Headers.CacheControl = "no-store";
        if (status is 429 or 503)
        {
            var seconds = Math.Max(1, Math.Ceiling((failure.RetryAfter ?? s_pause).TotalSeconds));
            http.Response.Headers.RetryAfter = seconds.ToString("0", CultureInfo.InvariantCulture);
        }

        var isDevelopment = http.RequestServices.GetService<IHostEnvironment>()?.IsDevelopment() == true;
        var detail = isDevelopment || IsOfApplication(failure) ? failure.Message : General(status);
        var traceId = Activity.Current?.TraceId.ToHexString() ?? http.TraceIdentifier;
        if (http.RequestServices.GetService<IProblemDetailsService>() is { } service)
        {
            var problem = new Problem { Status = status, Title = Title(status), Type = "about:blank", Detail = detail };
            problem.Extensions["traceId"] = traceId;
            if (await service.TryWriteAsync(new() { HttpContext = http, ProblemDetails = problem, Exception = exception })
                .ConfigureAwait(false))
            {
                return;
            }
        }

        var body = ProblemDetails.Write(status, Title(status), detail, traceId);
        http.Response.ContentType = ProblemDetails.ContentType;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body, http.RequestAborted).ConfigureAwait(false);
    }

    // A handler or a middleware of the application meant it; the bus itself speaks to operators, and names nodes and keys.
    private static bool IsOfApplication(ReplyFailure failure) =>
        failure.Kind is not (FailureKind.NoHandler or FailureKind.TimedOut or FailureKind.Unavailable)
        && (int)failure.Status is >= 400 and < 499
        && !(failure.NotProcessed && failure.Status is StatusCode.BadRequest or StatusCode.BodyTooLarge or StatusCode.Overloaded);

    private static string Title(int status) =>
        ReasonPhrases.GetReasonPhrase(status) is { Length: > 0 } phrase ? phrase : "Failed";

    private static string General(int status) => status switch
    {
        400 => "The request could not be understood.",
        404 => "There is no service for this request now.",
        408 => "The request took too long.",
        413 => "The request is too large.",
        429 => "The service has too much to do. Try again later.",
        503 => "The service is unavailable. Try again later.",
        GatewayTimeout => "The service took too long.",
        _ => "The service failed.",
    };
}
