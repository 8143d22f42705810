using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The native wire: the caller picks a member of each group from the directory and publishes to that member's inbox. One inbox
/// for each node takes all frames for it. Thread-safe.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, ends and disposes all of it.")]
internal sealed class InboxMesh : IRedisMesh
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(5);

    // How long the last replies may take to leave.
    private static readonly TimeSpan s_flush = TimeSpan.FromSeconds(2);

    private readonly string _prefix;
    private readonly NodeSeal? _seal;
    private readonly RedisConnection _connection;
    private readonly TransportContext _context;
    private readonly ILogger _logger;
    private readonly RedisSubscriptions _subscriptions;
    private readonly SharedClock _sharedClock;
    private readonly ServerClock _serverClock;
    private readonly InboxWriter _writer;
    private readonly LinkSet _links;
    private readonly SignalChannels _signals;
    private readonly DirectoryStore _store;
    private readonly MemberDirectory _directory;
    private readonly OwnEntry _own;
    private readonly MemberRequests _requests;
    private readonly LossLog _losses;
    private readonly ConcurrentDictionary<Subscription, RedisSubscriptions.Entry> _individuals = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task _ticking = Task.CompletedTask;
    private Task _renewing = Task.CompletedTask;

    /// <param name="options">Those of the transport.</param>
    /// <param name="connection">Not open yet.</param>
    /// <param name="seal">Seals and opens everything; null without keys.</param>
    /// <param name="context">Of the bus.</param>
    /// <param name="meters">Makes instruments.</param>
    /// <param name="logger">That of the transport.</param>
    public InboxMesh(RedisTransportOptions options, RedisConnection connection, NodeSeal? seal, TransportContext context,
        IMeterFactory meters, ILogger logger)
    {
        var (prefix, clock) = (options.KeyPrefix, context.Clock);
        (_prefix, _seal) = (prefix, seal);
        (_connection, _context, _logger) = (connection, context, logger);
        _subscriptions = new(connection, clock, logger);
        _losses = new(context);
        _sharedClock = new(clock);
        _serverClock = new(connection, _sharedClock, clock, prefix);
        _writer = new(connection, prefix, context.NodeId, seal is null ? null : () => NewSealer()!);
        _links = new(
            context.NodeId, _writer.To, new() { MaxBodyBytes = context.MaxBodyBytes, MaxBatchBytes = options.MaxBatchBytes }, clock,
                _sharedClock)
        {
            OnLoss = _losses.Report,
            OnBeat = connection.Heard,
        };
        _signals = new(connection, context, prefix, _losses.Report, NewSealer());
        _store = new(connection, _serverClock, clock, prefix, seal is null
            ? new PlainEntry()
            : new SealedEntry(seal, NewSealer()!, Now, id => DirectoryStore.KeyOf(prefix, id)), NewSealer());
        _directory = new(_store, _links, context, _losses.Report, CanReach, Random.Shared);
        _own = new(_store, _directory, connection, context, logger);
        _requests = new(_directory, connection, _losses);
        _links.OnApplied = _own.Applied;
        _links.OnDead = (peer, reason) =>
        {
            RedisLog.MemberDead(logger, peer, reason);
            _directory.Absent(peer);
        };
        Observe(meters.Create(MeshTelemetry.MeterName));
    }

    public int Waiting => _links.Outstanding;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _subscriptions.HearAsync(
            _writer.ChannelOf(_context.NodeId), Opened("inbox", (_, packet) => _links.Hear(packet)), cancellationToken)
            .ConfigureAwait(false);
        await _subscriptions.HearAsync(
            _store.Notices, Opened("notices", (_, notice) => _directory.OnNotice(notice)), cancellationToken).ConfigureAwait(false);
        await _connection.WatchAsync(cancellationToken).ConfigureAwait(false);
        await LearnAsync(cancellationToken).ConfigureAwait(false);
        await RefuseOtherKeysAsync(cancellationToken).ConfigureAwait(false);
        var info = _context.Describe();
        await _own.StartAsync(
            new(info.Id, info.Name, info.Host, info.ProcessId, _serverClock.Now - (long)info.Uptime.TotalMilliseconds, WireFormat.Version,
                IsSharded),
            _links.To(info.Id)).WaitAsync(cancellationToken).ConfigureAwait(false);
        _ticking = TickAsync();
        _renewing = RenewAsync();
    }

    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(_individuals.Keys.ToArray().Select(s => ForgetAsync(s, cancellationToken))).ConfigureAwait(false);
        await _own.DrainAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // The last replies leave before the others hear that this node is gone, and the last refusals after it.
        await FlushAsync(_links.Running.EmptyAsync(), cancellationToken).ConfigureAwait(false);
        await _own.LeaveAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        await FlushAsync(Task.CompletedTask, cancellationToken).ConfigureAwait(false);

        await _stopping.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_ticking, _renewing).ConfigureAwait(false);
        await _links.CloseAsync("The bus stopped before the reply came.").WaitAsync(cancellationToken).ConfigureAwait(false);
        // Last, and for a connection that was handed in: it outlives the bus.
        await _subscriptions.ClearAsync(cancellationToken).ConfigureAwait(false);
        _losses.Flush();
        _subscriptions.Dispose();
        _stopping.Dispose();
    }

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken) =>
        _requests.RequestAsync(request, cancellationToken);

    public async ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        if (!_connection.IsUp)
        {
            throw new TransportException(_connection.Absence);
        }

        if (FrameCheck.WhyUnwritable(signal, "") is { } why)
        {
            throw new TransportException(why);
        }

        // Publishes first: the order of the signals of one sender is that of these calls.
        var publishing = _signals.PublishAsync(signal);
        var groups = _directory.SignalGroups(signal.Topic);
        foreach (var group in groups)
        {
            _ = _requests.SignalAsync(signal, group);
        }

        var receivers = await publishing.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new(_connection.PublishCountsAll ? (int)receivers + groups.Length : null);
    }

    public async Task<IReadOnlyList<NodeInfo>> ListAsync(CancellationToken cancellationToken)
    {
        await _directory.RefreshAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        // What Redis has now: the notice of a node that has just left may still be on its way.
        var ids = new HashSet<string>(await _store.ListAsync().WaitAsync(cancellationToken).ConfigureAwait(false));
        ids.Remove(_context.NodeId);
        var now = _serverClock.Now;
        return [_context.Describe(), .. _directory.Members.Where(m => ids.Contains(m.Id)).Select(m => m.Describe(now))];
    }

    public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        try
        {
            // Handles before it is known for it: nothing that arrives is refused.
            _links.Requests.Add([.. subscriptions.Where(s => s.Kind == MessageKind.Request)]);
            _links.SignalGroups.Add([.. subscriptions.Where(s => s is { Kind: MessageKind.Signal, Group: not null })]);
            await Task.WhenAll(subscriptions.Where(s => s is { Kind: MessageKind.Signal, Group: null }).Select(s => HearAsync(s,
                cancellationToken)))
                .ConfigureAwait(false);
            await _own.ChangeAsync(subscriptions.Select(Offer.Of), [], cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _ = Task.WhenAll(subscriptions.Select(s => UnsubscribeAsync(s, CancellationToken.None)));
            throw;
        }
    }

    public async Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        await _own.ChangeAsync([], [Offer.Of(subscription)], cancellationToken).ConfigureAwait(false);
        await ForgetAsync(subscription, cancellationToken).ConfigureAwait(false);
        (subscription.Kind == MessageKind.Request ? _links.Requests : _links.SignalGroups).Remove(subscription);
    }

    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        await _subscriptions.RestoreAsync(cancellationToken).ConfigureAwait(false);
        // Before the first message leaves: a new master may have another wall clock, and peers drop what seems late on it.
        await _serverClock.MeasureAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task BeatAsync(long number) => _writer.BeatAsync(_links.Beat(number));

    public void OnGap(string reason)
    {
        _subscriptions.Mute();
        if (_links.EndAll($"The connection to Redis broke while the message was under way ({reason}).") is var ended and > 0)
        {
            RedisLog.OutcomesUnknown(_logger, ended);
        }
    }

    public void OnWhole() => _ = RecoverAsync();

    private bool IsSharded => _connection.Client is not { HasShardedChannels: false };

    private long Now() => _serverClock.Now;

    private Sealer? NewSealer() => _seal is null ? null : new(_seal, Now);

    // What arrives on a channel, opened where there are keys.
    private Action<RedisChannel, RedisValue> Opened(string what, Action<RedisChannel, ReadOnlyMemory<byte>> hear) => _seal is null
        ? (channel, packet) => hear(channel, packet)
        : new SealedChannel(_seal, _context, Now, what, _losses.Report, hear).Hear;

    private async Task HearAsync(Subscription subscription, CancellationToken cancellationToken) =>
        _individuals[subscription] = await _subscriptions.HearAsync(
            _signals.ChannelOf(subscription.Pattern),
            Opened("signals", (channel, packet) => _signals.Hear(subscription, channel, packet)), cancellationToken).ConfigureAwait(false);

    /// <exception cref="TransportException">The nodes that are there have other keys than this one.</exception>
    private async Task RefuseOtherKeysAsync(CancellationToken cancellationToken)
    {
        var (same, other, unsealed) = (0, 0, 0);
        try
        {
            if (_connection.IsUp)
            {
                (same, other, unsealed) = await _store.CountByKeysAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            RedisLog.StillAway(_logger, Printable.Line(failure.Message));
        }

        // Every program that reaches Redis can write one: that must not keep this node from starting.
        if (unsealed > 0)
        {
            _losses.Report(new("not-sealed", _prefix, "directory",
                $"Entries of nodes in the directory ({unsealed}) are not sealed, and this node has keys: it exchanges no messages with "
                + $"them. Give all nodes {_context.KeyOf("Redis:Keys")}; if they have it, a stranger is there."));
        }

        if (same == 0 && other > 0)
        {
            throw new TransportException(
                $"The nodes of the mesh '{_prefix}' ({other}) "
                + (_seal is null ? "seal their messages with keys, and this node has none. " : "have other keys than this node. ")
                + $"Give this node their {_context.KeyOf("Redis:Keys")}, or another {_context.KeyOf("Redis:KeyPrefix")}. "
                + $"Entries of nodes that have died expire after {DirectoryStore.Lifetime.TotalSeconds} s.");
        }
    }

    private Task ForgetAsync(Subscription subscription, CancellationToken cancellationToken) =>
        _individuals.TryRemove(subscription, out var entry) ? _subscriptions.ForgetAsync(entry, cancellationToken) : Task.CompletedTask;

    private async Task FlushAsync(Task first, CancellationToken cancellationToken)
    {
        try
        {
            await FlushBehindAsync(first).WaitAsync(s_flush, _context.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            _losses.Report(new("not-flushed", _context.NodeId, "shutdown",
                $"{_links.Depth} frames had not left, and {_links.Running.Count} requests had not ended, when the node stopped."));
        }

        async Task FlushBehindAsync(Task first)
        {
            await first.ConfigureAwait(false);
            await _links.FlushAsync().ConfigureAwait(false);
        }
    }

    // What is known at the start, and again after a gap: the time of Redis, and who is there.
    private async Task LearnAsync(CancellationToken cancellationToken)
    {
        await _serverClock.MeasureAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _directory.RefreshAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            RedisLog.StillAway(_logger, Printable.Line(failure.Message));
        }
    }

    private async Task RecoverAsync()
    {
        _links.ResendReplies();
        await _subscriptions.RestoreMissingAsync().ConfigureAwait(false);
        await LearnAsync(CancellationToken.None).ConfigureAwait(false);
        await _own.AnnounceAsync().ConfigureAwait(false);
    }

    private bool CanReach(Announcement node)
    {
        if (node.Frames == WireFormat.Version && node.IsSharded == IsSharded)
        {
            return true;
        }

        _losses.Report(new("unreachable-member", node.Id, "directory", node.Frames == WireFormat.Version
            ? $"Node '{node.Id}' hears another kind of channel than this node publishes to. Do both see the same Redis?"
            : $"Node '{node.Id}' speaks version {node.Frames} of the frames; this node speaks {WireFormat.Version}. " +
              "They exchange no messages until both run the same version."));
        return false;
    }

    private async Task TickAsync()
    {
        using var timer = new PeriodicTimer(s_tick, _context.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                _links.Tick(_connection.Hears, _directory.Knows);
                _losses.Tick();
                if (_connection.Hears)
                {
                    _directory.Age(_context.Clock.GetTimestamp());
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the loop, as asked.
        }
    }

    private async Task RenewAsync()
    {
        using var timer = new PeriodicTimer(s_renewal, _context.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                if (_connection.IsUp)
                {
                    await _serverClock.MeasureAsync(_stopping.Token).ConfigureAwait(false);
                    await _own.RenewAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the loop, as asked.
        }
    }

    private void Observe(Meter meter)
    {
        meter.CreateObservableGauge("servicemesh.redis.outbox.depth", () => _links.Depth, "{frame}", "Frames that wait to be written.");
        meter.CreateObservableGauge("servicemesh.redis.pending", () => _links.Outstanding, "{request}",
            "Requests that wait for an answer.");
        meter.CreateObservableGauge("servicemesh.redis.members", () => _directory.Members.Count, "{node}",
            "Nodes that are known, this one included.");
    }
}
