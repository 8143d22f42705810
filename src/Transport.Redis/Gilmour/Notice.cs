namespace ServiceMesh.Redis;

/// <summary>
/// Either a caller has stopped waiting for <see cref="Cancelled"/>, or a node has left the <see cref="Departed"/> groups of
/// request topics and hears nothing of them any longer.
/// </summary>
internal sealed record Notice(MessageId? Cancelled, IReadOnlyList<(string Topic, string Group)> Departed)
{
    public static Notice Cancel(MessageId request) => new(request, []);

    public static Notice Depart(IEnumerable<Subscription> subscriptions) =>
        new(null, [.. subscriptions.Where(s => s.Kind == MessageKind.Request).Select(s => (s.Pattern.ToString(), s.Group!))]);
}
