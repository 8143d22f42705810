namespace ServiceMesh.Http;

/// <summary>The reply to a request that no endpoint can take now. Pure.</summary>
internal static class NoEndpointReply
{
    private const int MaxListed = 5;

    /// <summary>A reason that all endpoints share is given once, otherwise each endpoint has its own.</summary>
    public static ReplyMessage For(Topic topic, RequestRoute route, Routes routes)
    {
        var others = route.Endpoints.Select(routes.MemberOf).OfType<Member>()
            .Select(m => (Member: m, Why: UnavailableReasons.Of(m.Endpoint))).ToArray();
        var refusal = others.Where(o => o.Why == UnavailableReason.CircuitOpen)
            .Select(o => o.Member.Endpoint.Breaker.Refusal()).MinBy(r => r.RetryAfter ?? TimeSpan.MaxValue);
        var reasons = others.Select(o => o.Why).Distinct().ToArray();
        var listed = others.Take(MaxListed).ToArray();
        var names = string.Join(", ", listed.Select(o => o.Member.ToString()));
        var text = reasons switch
        {
            [UnavailableReason.Full] => $"Every node that handles '{topic}' has as many requests in flight from this node as " +
                $"Http:Limits:ConcurrencyPerEndpoint allows: {names}.",
            [UnavailableReason.CircuitOpen] => $"No node that handles '{topic}' may be called now. {refusal!.Message}",
            [UnavailableReason.Draining] => $"Every node that handles '{topic}' is shutting down: {names}.",
            [] or [UnavailableReason.Unreachable] =>
                $"Every node that handles '{topic}' is unreachable: " +
                $"{string.Join(", ", listed.Select(o => $"{o.Member} {o.Member.Trouble}"))}.",
            _ => $"No node that handles '{topic}' can take a request now: " +
                $"{string.Join("; ", listed.Select(o => Describe(o.Member, o.Why)))}.",
        };

        // An endpoint that is full may have a place at any moment.
        var status = reasons.Contains(UnavailableReason.Full) ? StatusCode.Overloaded : StatusCode.Unavailable;
        return ReplyMessage.Failure(status, text, notProcessed: true, refusal?.RetryAfter);
    }

    private static string Describe(Member member, UnavailableReason why) =>
        $"{member} {UnavailableReasons.Describe(member.Endpoint, why, member.Trouble)}";
}
