using Microsoft.AspNetCore.Http;
using ServiceMesh.Http;

namespace ServiceMesh;

/// <summary>Replies of the bus as answers of a web application.</summary>
public static class ReplyHttpExtensions
{
    /// <summary>
    /// The reply as the answer of an endpoint: the value as JSON with its status, 204 without a value, or the failure as problem details
    /// (RFC 9457). 408, 429 and 503 keep their status, and the last two say when to try again (<c>Retry-After</c>). A handler's timeout is
    /// 504, and what HTTP cannot say is 500.
    /// </summary>
    /// <remarks>
    /// What a handler says on purpose, with a status from 400 to 498, is the detail of the problem. What the bus says, and what was thrown,
    /// is replaced by a general sentence, except in the Development environment; the member <c>traceId</c> leads to the log.
    /// </remarks>
    /// <param name="reply">The end of a request or a composition.</param>
    /// <example>
    /// <code source="samples/Snippets/Web.cs" region="result" />
    /// </example>
    public static IResult ToHttpResult<T>(this Reply<T> reply)
    {
        ArgumentNullException.ThrowIfNull(reply);
        return reply.Failure is { } failure ? new FailureResult(failure) : new ValueResult<T>(reply);
    }
}
