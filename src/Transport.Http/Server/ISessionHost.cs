using Microsoft.AspNetCore.Http;

namespace ServiceMesh.Http;

/// <summary>Serves the sessions that other nodes open with this one. Implementations are thread-safe.</summary>
internal interface ISessionHost
{
    /// <summary>
    /// Serves one session of a caller until it ends. Returns why it is refused, before anything was answered; null when it was served.
    /// </summary>
    Task<ReplyMessage?> AcceptAsync(HttpContext http, HttpCaller caller);

    /// <summary>From now on each answer says that this node leaves, and no session is accepted.</summary>
    void BeginLeaving();

    /// <summary>Ends all sessions, in good order where the other nodes take part, and in a bounded time.</summary>
    Task EndAsync(CancellationToken cancellationToken);
}
