using System.Security.Claims;

namespace ServiceMesh.Transports;

/// <summary>
/// The process that sent a message, as its transport has authenticated it. A transport that declares
/// <see cref="TransportFeatures.Authorization"/> sets <see cref="Message.Caller"/> to one. Thread-safe.
/// </summary>
public interface IMessageCaller
{
    /// <summary>The identity; without an authenticated identity if the caller is anonymous. Never changes.</summary>
    ClaimsPrincipal Principal { get; }

    /// <summary>
    /// Whether the caller may call a topic. The bus asks before it decodes a message for a handler that demands policies; a transport may
    /// ask earlier, before it reads the body. Evaluate a policy once for one caller, and remember the result.
    /// </summary>
    /// <param name="topic">The topic, for the refusal.</param>
    /// <param name="policies">The names of all policies that the caller must satisfy; an empty name is the default policy.</param>
    /// <returns>Null if the caller may; otherwise a refusal with 401 or 403 that names the topic.</returns>
    ValueTask<ReplyMessage?> RefuseAsync(Topic topic, IReadOnlyList<string> policies);
}
