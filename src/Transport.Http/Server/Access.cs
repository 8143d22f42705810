namespace ServiceMesh.Http;

/// <summary>Which handlers of a topic a caller may reach.</summary>
/// <param name="Refusal">Why the caller reaches none of them; null if it reaches one, and if there is none.</param>
/// <param name="Denied">The subscriptions that the caller does not reach, with the refusal of each; null for none.</param>
internal readonly record struct Access(ReplyMessage? Refusal, IReadOnlyDictionary<Subscription, ReplyMessage>? Denied)
{
    public static async ValueTask<Access> OfAsync(IReadOnlyList<Subscription> subscriptions, Topic topic, IMessageCaller caller)
    {
        Dictionary<Subscription, ReplyMessage>? denied = null;
        ReplyMessage? last = null;
        foreach (var subscription in subscriptions.Where(s => s.AuthorizationPolicies.Count > 0))
        {
            if (await caller.RefuseAsync(topic, subscription.AuthorizationPolicies).ConfigureAwait(false) is { } refusal)
            {
                (denied ??= [])[subscription] = last = refusal;
            }
        }

        return new(denied?.Count == subscriptions.Count ? last : null, denied);
    }
}
