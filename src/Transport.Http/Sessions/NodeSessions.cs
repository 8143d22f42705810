using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>How a node uses sessions.</summary>
/// <param name="AreOn">False: no session is opened and none is accepted.</param>
/// <param name="OpeningLimit">How long a node may take to answer, connection included.</param>
/// <param name="TlsLimit">How much longer it may take over TLS.</param>
/// <param name="MaxIdle">A session that is not used for so long is ended; zero for never.</param>
internal sealed record SessionSettings(bool AreOn, TimeSpan OpeningLimit, TimeSpan TlsLimit, TimeSpan MaxIdle);

/// <summary>
/// All sessions of a node: those that it opened, on demand and one for each endpoint, and those that other nodes opened with it.
/// Thread-safe.
/// </summary>
internal sealed class NodeSessions : ISessionHost, IAsyncDisposable
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);

    private readonly SessionSettings _settings;
    private readonly TransportContext _context;
    private readonly BufferedClient _client;
    private readonly Func<ConnectionPool> _connect;
    private readonly Random _random;
    private readonly ILogger _logger;
    private readonly LossLog _losses;
    private readonly LinkOptions _options;
    private readonly ServerSessions _accepted;
    private readonly ConcurrentDictionary<ClientSession, Task> _opened = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _ticking;

    /// <param name="settings">How sessions are used.</param>
    /// <param name="node">This node.</param>
    /// <param name="client">Makes the requests that open sessions.</param>
    /// <param name="connect">Makes the connection of one session, so that a dead connection ends with its session.</param>
    /// <param name="random">The source of randomness; must be thread-safe.</param>
    /// <param name="logger">The logger of the transport.</param>
    public NodeSessions(
        SessionSettings settings, HttpNode node, BufferedClient client, Func<ConnectionPool> connect, Random random, ILogger logger)
    {
        (_settings, _context, _client, _connect, _random, _logger) = (settings, node.Context, client, connect, random, logger);
        _losses = new(_context);
        _options = SessionProtocol.LinkOptions(_context.MaxBodyBytes);
        _accepted = new(node, _losses, logger);
        _ticking = settings.AreOn ? TickAsync() : Task.CompletedTask;
    }

    /// <summary>The sessions that this node opened, and that are open.</summary>
    public int Opened => _opened.Keys.Count(s => s.IsUp);

    /// <summary>The nodes that have a session with this one open.</summary>
    public IReadOnlyList<string> Callers => _accepted.Peers;

    /// <summary>Who opened the sessions with this node, as its server authenticated them.</summary>
    public IReadOnlyList<ClaimsPrincipal> Principals => _accepted.Principals;

    /// <summary>
    /// The session with an endpoint; null if there is none now. Then one is opened in the background, unless the endpoint has refused one
    /// a short while ago.
    /// </summary>
    public ClientSession? Find(SessionSlot slot)
    {
        if (slot.Current is { } session)
        {
            return session;
        }

        if (_settings.AreOn && !_stopping.IsCancellationRequested && slot.TryTake(_context.Clock.GetTimestamp()))
        {
            Open(slot);
        }

        return null;
    }

    public async Task<ReplyMessage?> AcceptAsync(HttpContext http, HttpCaller caller) => _settings.AreOn
        ? await _accepted.AcceptAsync(http, caller).ConfigureAwait(false)
        : ReplyMessage.Failure(
            StatusCode.NotFound, $"This node has no sessions: its {_context.KeyOf("Http:Sessions")} is Never.", notProcessed: true);

    public void BeginLeaving() => _accepted.BeginLeaving();

    public Task EndAsync(CancellationToken cancellationToken) => _accepted.EndAsync(cancellationToken);

    /// <summary>Publishes how many sessions there are.</summary>
    /// <param name="meter">The meter of the client.</param>
    /// <param name="tags">Its tags.</param>
    public void Observe(Meter meter, KeyValuePair<string, object?>[] tags)
    {
        meter.CreateObservableGauge(
            "servicemesh.http.sessions",
            () => new[]
            {
                new Measurement<int>(Opened, [new("servicemesh.session.side", "caller"), .. tags]),
                new Measurement<int>(_accepted.Count, [new("servicemesh.session.side", "server"), .. tags]),
            },
            "{session}", "Open sessions with other nodes, by the side that this node is on.");
        meter.CreateObservableGauge(
            "servicemesh.http.session.depth", () => new Measurement<int>(_opened.Keys.Sum(s => s.Depth), tags), "{frame}",
            "Frames that wait to be written to sessions.");
    }

    /// <summary>Ends all sessions.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _accepted.EndAsync(new(canceled: true)).ConfigureAwait(false);
        foreach (var (session, _) in _opened)
        {
            session.Break("this node stops");
        }

        await Task.WhenAll([_ticking, .. _opened.Values]).ConfigureAwait(false);
        _losses.Flush();
        _stopping.Dispose();
    }

    // On the pool and without the context of the message that asked for it: the session outlives that message.
    private void Open(SessionSlot slot)
    {
        var session = new ClientSession(slot, slot.NodeId!, _client, _context, _options, _losses.Report);
        var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using (ExecutionContext.SuppressFlow())
        {
            _opened[session] = Task.Run(() => RunAsync(slot, session, begin.Task));
        }

        if (_stopping.IsCancellationRequested)
        {
            session.Break("this node stops");
        }

        begin.SetResult(); // it must be in the list before it can leave it
    }

    [SuppressMessage("Design", "CA1031", Justification = "Certificates are read here, from files that may be gone: the reason is kept.")]
    private async Task RunAsync(SessionSlot slot, ClientSession session, Task begin)
    {
        await begin.ConfigureAwait(false);
        string why;
        try
        {
            using var connections = _connect();
            var limit = _settings.OpeningLimit + (slot.Target.IsTls ? _settings.TlsLimit : TimeSpan.Zero);
            why = await session.RunAsync(connections, limit, () =>
            {
                slot.Opened(session);
                SessionLog.Opened(_logger, session.Peer, slot.Target.Endpoint);
            }).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            why = ExceptionText.Brief(failure);
        }

        if (session.Age > TimeSpan.Zero)
        {
            SessionLog.Lost(_logger, session.Peer, slot.Target.Endpoint, session.Age.TotalSeconds, Printable.Line(why));
        }
        else
        {
            SessionLog.NotOpened(_logger, session.Peer, slot.Target.Endpoint, Printable.Line(why));
        }

        slot.Ended(why, session.Age, _context.Clock, _random);
        _opened.TryRemove(session, out _);
    }

    private async Task TickAsync()
    {
        using var timer = new PeriodicTimer(s_tick, _context.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                _accepted.Tick();
                foreach (var (session, _) in _opened)
                {
                    session.Tick(_settings.MaxIdle);
                }

                _losses.Tick();
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the loop, as asked.
        }
    }
}
