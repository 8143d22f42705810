namespace ServiceMesh.Redis;

/// <summary>
/// What travels back for a request: the reply of the member that took it, or that a node cannot take it in any of its
/// groups. Only when all who heard the request refuse is a refusal the reply.
/// </summary>
/// <param name="Reply">The reply, or why the node refuses.</param>
/// <param name="RefusedGroups">The groups that the node is in and refuses for; null for a reply.</param>
internal sealed record Answer(ReplyMessage Reply, IReadOnlyList<string>? RefusedGroups = null);
