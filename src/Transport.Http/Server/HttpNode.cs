using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>A started node as its server sees it: what it handles, which nodes watch it, and whether it drains. Thread-safe.</summary>
internal sealed class HttpNode(
    TransportContext context, LocalSubscriptions local, Protection protection, TopicPolicies policies, HttpServerOptions limits,
    Action<string> peerSeen, Func<IReadOnlyList<EndpointReport>> endpoints)
{
    private readonly HttpCaller _self = HttpCaller.ThisNode(policies, context.Clock);
    private volatile bool _draining;

    public TransportContext Context => context;

    public ILogger Logger { get; } = context.LoggerFactory.CreateLogger("ServiceMesh.Http");

    public LocalSubscriptions Local => local;

    public Protection Protection => protection;

    /// <summary>The clock of this node, on which other nodes may give deadlines.</summary>
    public SharedClock Clock { get; } = SharedClock.OfThisNode(context.Clock, Math.Max(1, (uint)StableHash.Of(context.NodeId)));

    public Watchers Watchers { get; } = new(context.Clock);

    /// <summary>The sessions of other nodes; null before the start.</summary>
    public ISessionHost? Sessions { get; set; }

    public HttpServerOptions Limits => limits;

    /// <summary>The bytes of bodies and answers that the node holds.</summary>
    public BytesInFlight Bytes { get; } = new(limits);

    public bool IsDraining => _draining;

    public void BeginDrain()
    {
        _draining = true;
        Sessions?.BeginLeaving();
    }

    /// <summary>Another node watches this one, so it runs. Null if the name is empty, too long, or that of this node.</summary>
    public string? SeePeer(string watcher)
    {
        if (watcher.Length is 0 or > 300 || watcher.StartsWith(context.NodeId + ".", StringComparison.Ordinal))
        {
            return null;
        }

        peerSeen(watcher);
        return watcher;
    }

    /// <summary>Describes this node. A subscription that is still being added is not in the description yet.</summary>
    /// <param name="withEndpoints">Whether it has the endpoints of this node's services.</param>
    public NodeDocument Describe(bool withEndpoints)
    {
        // The version is read first: a change after that makes the next version, and the watcher asks again.
        var version = Watchers.Version;
        var info = context.Describe();
        var subscriptions = local.All;
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
            Clock = Clock.Own is { } clock ? new(clock.Id, clock.Milliseconds) : null,
            Requests = Of(MessageKind.Request),
            Signals = Of(MessageKind.Signal),
            Endpoints = withEndpoints ? endpoints() : null,
        };

        Interest[] Of(MessageKind kind) =>
            [.. subscriptions.Where(s => s.Kind == kind).Select(s => new Interest(s.Pattern.ToString(), s.Group))];
    }

    /// <summary>
    /// The caller behind a request of HTTP that <see cref="Protection"/> has admitted. Set <see cref="CallerOfMessage"/> as
    /// <see cref="Message.Caller"/> of every message that arrives with the request, and close it before the request ends.
    /// </summary>
    public HttpCaller CallerOf(HttpContext http) => new(http, protection.HasToken, policies, context.Clock);

    /// <summary>The caller of one of the messages that arrive with a request of HTTP.</summary>
    public IMessageCaller CallerOfMessage(HttpCaller caller) => local.DemandsPolicies ? caller.OfMessage() : caller;

    /// <summary>Which handlers of a topic a caller may reach. The bus asks again; this asks before the body is read.</summary>
    public ValueTask<Access> AccessOfAsync(MessageKind kind, Topic topic, IMessageCaller caller) =>
        local.DemandsPolicies ? Access.OfAsync(local.Matching(kind, topic), topic, caller) : default;

    /// <summary>Delivers a signal of this node to its own subscribers.</summary>
    public async ValueTask<SignalReceipt> DeliverAsync(Message signal, IReadOnlyCollection<string> groups, bool toIndividuals)
    {
        var access = await AccessOfAsync(MessageKind.Signal, signal.Topic, _self).ConfigureAwait(false);
        return local.Deliver(local.DemandsPolicies ? signal with { Caller = _self } : signal, groups, toIndividuals, access.Denied);
    }

    /// <summary>Handles a request here, or returns why not. Completes when the handler has ended or was abandoned.</summary>
    public ValueTask<ReplyMessage> AnswerAsync(Message request, CancellationToken callerGone)
    {
        if (request.Caller is null && local.DemandsPolicies)
        {
            request = request with { Caller = _self };
        }

        var delivery = local.Offer(request);
        return delivery switch
        {
            null => new(ReplyMessage.NoHandler(request.Topic)),
            { IsAccepted: true } => delivery.RunAsync(callerGone),
            _ => new(delivery.Refusal!),
        };
    }
}
