namespace ServiceMesh.Http;

/// <summary>A started node as its server sees it: what it handles, who watches it, and how it is. Thread-safe.</summary>
internal sealed class HttpNode(TransportContext context, LocalNode local, Protection protection, Action<string> met)
{
    private volatile bool _draining;

    public TransportContext Context => context;

    public LocalNode Local => local;

    public Protection Protection => protection;

    public Watchers Watchers { get; } = new(context.Clock);

    public bool IsDraining => _draining;

    public void BeginDrain() => _draining = true;

    /// <summary>Another node watches this one, so it is there. Null when it is no other, or nobody.</summary>
    public string? Meet(string watcher)
    {
        if (watcher.Length is 0 or > 300 || watcher.StartsWith(context.NodeId + ".", StringComparison.Ordinal))
        {
            return null;
        }

        met(watcher);
        return watcher;
    }

    /// <summary>Who it is and what messages reach here: what is about to be subscribed is not in it yet.</summary>
    public NodeDocument Describe()
    {
        // The version first: a change meanwhile makes the next version, and the watcher asks again.
        var version = Watchers.Version;
        var info = context.Describe();
        var subscriptions = local.Subscriptions;
        return new()
        {
            Id = info.Id,
            Name = info.Name,
            Host = info.Host,
            ProcessId = info.ProcessId,
            Uptime = info.Uptime.TotalSeconds,
            Draining = IsDraining,
            Version = version,
            Load = subscriptions.Count == 0 ? 0 : Math.Round(subscriptions.Max(s => s.Load), 3),
            Requests = Of(MessageKind.Request),
            Signals = Of(MessageKind.Signal),
        };

        Interest[] Of(MessageKind kind) => [.. subscriptions.Where(s => s.Kind == kind).Select(s => new Interest(s.Pattern.ToString(), s.Group))];
    }

    /// <summary>Handles a request here, or says why not. Ends when the handler does, or has been given up.</summary>
    public ValueTask<ReplyMessage> AnswerAsync(Message request, CancellationToken callerGone)
    {
        var delivery = local.Offer(request);
        return delivery switch
        {
            null => new(ReplyMessage.NoHandler(request.Topic)),
            { IsAccepted: true } => delivery.RunAsync(callerGone),
            _ => new(delivery.Refusal!),
        };
    }
}
