using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>The sessions that other nodes have opened with this one. Thread-safe.</summary>
internal sealed class ServerSessions
{
    private const int MaxSessions = 16_384;
    private const int MaxOfConnection = 4;

    // How long a caller that has been let in may take to say who it is.
    private static readonly TimeSpan s_preambleLimit = TimeSpan.FromSeconds(3);

    private readonly HttpNode _node;
    private readonly TransportContext _context;
    private readonly ILogger _logger;
    private readonly FrameReceiver _receiver;
    private readonly LossLog _losses;
    private readonly LinkOptions _options;
    private readonly byte[] _preamble;
    private readonly ConcurrentDictionary<string, (ServerSession Session, Task Ended)> _open = new();
    private readonly ConditionalWeakTable<object, StrongBox<int>> _connections = [];
    private long _last;
    private volatile bool _isLeaving;
    private volatile bool _isClosed;

    public ServerSessions(HttpNode node, LossLog losses, ILogger logger)
    {
        var (context, local) = (node.Context, node.Local);
        (_node, _context, _losses, _logger) = (node, context, losses, logger);
        _options = SessionProtocol.LinkOptions(context.MaxBodyBytes) with { MaxWaitingBytes = node.Limits.MaxBytesPerConnection };
        _preamble = FrameWriter.Preamble(context.NodeId);
        _receiver = new(context.NodeId, node.Clock)
        {
            LinkTo = key => _open.TryGetValue(key, out var found) ? found.Session.Link : null,
            Offer = (request, _) => Offer(request),
            Deliver = DeliverAsync,
            OnLoss = Report,
            LoadOf = topic => (int)(SessionProtocol.LoadUnit * (topic is { } one ? local.LoadOf(one) : local.HighestLoad)),
        };
    }

    public int Count => _open.Count;

    /// <summary>The nodes that have opened a session.</summary>
    public IReadOnlyList<string> Peers => [.. _open.Values.Select(o => o.Session.Sender).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Who opened the sessions.</summary>
    public IReadOnlyList<ClaimsPrincipal> Principals => [.. _open.Values.Select(o => o.Session.Caller.Principal)];

    /// <summary>
    /// Serves one session until it ends. Returns why it is refused, before anything was answered; null when it was served.
    /// </summary>
    public async Task<ReplyMessage?> AcceptAsync(HttpContext http, HttpCaller caller)
    {
        if (Refusal(http) is { } refusal)
        {
            return refusal;
        }

        var ofConnection = http.Features.Get<IConnectionLifetimeFeature>() is { } connection
            ? _connections.GetValue(connection, _ => new())
            : new();
        try
        {
            return Interlocked.Increment(ref ofConnection.Value) > MaxOfConnection
                ? Refuse(
                    StatusCodes.Status503ServiceUnavailable,
                    $"The connection has {MaxOfConnection} sessions, its limit. Use an exchange for each message.")
                : await BeginAsync(http, caller).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref ofConnection.Value);
        }
    }

    /// <summary>From now on each answer says that this node leaves, and no session is accepted.</summary>
    public void BeginLeaving()
    {
        _isLeaving = true;
        foreach (var (_, open) in _open)
        {
            open.Session.Link.IsLeaving = true;
        }
    }

    /// <summary>Ends all sessions: in good order where the other nodes take part, and otherwise after a bound.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        _isClosed = true;
        BeginLeaving();
        var ending = _open.Values.ToArray();
        foreach (var (session, _) in ending)
        {
            session.Leave();
        }

        var ended = Task.WhenAll(ending.Select(e => e.Ended));
        await ended.WaitAsync(SessionProtocol.LeaveLimit, _context.Clock, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var (session, end) in ending.Where(e => !e.Ended.IsCompleted))
        {
            session.Break("this node stops");
        }

        await ended.WaitAsync(SessionProtocol.LeaveLimit, _context.Clock, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>To be called a few times a second.</summary>
    public void Tick()
    {
        _receiver.ResendReplies();
        foreach (var (_, open) in _open)
        {
            open.Session.Tick();
        }
    }

    private async Task<ReplyMessage?> BeginAsync(HttpContext http, HttpCaller caller)
    {
        LiftLimits(http);
        var frames = new FrameStream(SessionProtocol.MaxCallerFrameBytes);
        var (preamble, fault) = await ReadPreambleAsync(http, frames).ConfigureAwait(false);
        if (fault != FrameFault.None)
        {
            return ReplyMessage.Failure(
                StatusCode.BadRequest,
                $"This is not a session of version {WireFormat.Version} ({fault}). Use an exchange for each message.", notProcessed: true);
        }

        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = SessionProtocol.ContentType;
        http.Response.Headers[MeshHeader.Status] = "200";
        var key = string.Create(CultureInfo.InvariantCulture, $"{preamble.Sender}/{Interlocked.Increment(ref _last)}");
        var maxReply = int.TryParse(http.Request.Headers[MeshHeader.MaxBody], NumberStyles.None, CultureInfo.InvariantCulture, out var max)
            ? max
            : _context.MaxBodyBytes;
        var session = new ServerSession(
            key, preamble.Sender, http, caller, _receiver, _node, _options, maxReply, ExpiryOf(http), Report);
        await ServeAsync(session, frames).ConfigureAwait(false);
        return null;
    }

    // A caller that may not call the handlers takes none of their places. Its access is known at once after the first request; until then
    // the bus asks before it calls the handler.
    private Delivery? Offer(Message request)
    {
        var asking = _node.AccessOfAsync(MessageKind.Request, request.Topic, request.Caller!);
        if (!asking.IsCompletedSuccessfully)
        {
            _ = asking.AsTask().ContinueWith(
                static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
        else if (asking.Result.Refusal is { } refusal && _node.Local.Matching(MessageKind.Request, request.Topic) is [var one, ..])
        {
            return new(one, request, refusal);
        }

        return _node.Local.Offer(request);
    }

    // The access of the caller is known at once after the first signal of a topic with policies.
    private async ValueTask<SignalOutcome> DeliverAsync(Message signal, string group)
    {
        var access = await _node.AccessOfAsync(MessageKind.Signal, signal.Topic, signal.Caller!).ConfigureAwait(false);
        if (access.Refusal is not null)
        {
            return new(0, access.Refusal);
        }

        string[] groups = group.Length == 0 ? [] : [group];
        var receipt = _node.Local.Deliver(signal, groups, toIndividuals: group.Length == 0, access.Denied);
        return receipt.Refused is [var refused, ..]
            ? new(0, ReplyMessage.Failure((StatusCode)refused.Status, refused.Detail, notProcessed: true))
            : new(receipt.Receivers);
    }

    private ReplyMessage? Refusal(HttpContext http) =>
        !HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol)
            ? Refuse(
                StatusCodes.Status505HttpVersionNotsupported,
                $"A session needs HTTP/2, and this request came as {http.Request.Protocol}.")
        : _isLeaving || _isClosed ? Refuse(StatusCodes.Status503ServiceUnavailable, "This node shuts down.")
        : _open.Count >= MaxSessions ? Refuse(StatusCodes.Status503ServiceUnavailable, $"This node has {MaxSessions} sessions, its limit.")
        : null;

    private static ReplyMessage Refuse(int status, string error) => ReplyMessage.Failure((StatusCode)status, error, notProcessed: true);

    // A session has no length and may be silent for a while; its own pings find out whether the other end lives.
    private static void LiftLimits(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (http.Features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        http.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }

    private static DateTimeOffset? ExpiryOf(HttpContext http) =>
        http.Features.Get<IAuthenticateResultFeature>()?.AuthenticateResult?.Properties?.ExpiresUtc;

    private async Task<(Preamble Preamble, FrameFault Fault)> ReadPreambleAsync(HttpContext http, FrameStream frames)
    {
        using var limit = new CancellationTokenSource(s_preambleLimit, _context.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, http.RequestAborted);
        Preamble preamble;
        FrameFault fault;
        try
        {
            while (!frames.TryTakePreamble(out preamble, out fault))
            {
                var count = await http.Request.Body.ReadAsync(frames.Room(), either.Token).ConfigureAwait(false);
                if (count == 0)
                {
                    return (default, FrameFault.ForeignPacket);
                }

                frames.Filled(count);
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            return (default, FrameFault.ForeignPacket);
        }

        return (preamble, fault);
    }

    private async Task ServeAsync(ServerSession session, FrameStream frames)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _open[session.Key] = (session, ended.Task);
        session.Link.IsLeaving = _isLeaving;
        if (_isClosed)
        {
            session.Leave(); // it was accepted while the node began to stop
        }

        SessionLog.Accepted(_logger, session.Sender);
        var why = await session.RunAsync(_preamble, frames).ConfigureAwait(false);
        _open.TryRemove(session.Key, out _);
        SessionLog.Ended(_logger, session.Sender, why ?? "the node ended it");
        ended.SetResult();
    }

    // A reply whose caller has gone does not count as lost: the caller has ended its requests with the session.
    private void Report(LinkLoss loss)
    {
        if (loss.Reason != "reply-not-written")
        {
            _losses.Report(loss);
        }
    }
}
